"""A source network: trained on one data set (`experiments.train_source`), a start and fixed features for another."""

import pathlib
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from alfamous_jax.datasets import labels, npz
from alfamous_jax.networks import train
from alfamous_jax.networks.linear import Linear
from experiments.store.files import replacing


class Source(NamedTuple):
    """A trained network."""

    model: nn.Module
    variables: Any  # leaves [S, ...], a snapshot of the training each; the last one is its end


def save(path: pathlib.Path, variables: Any) -> None:
    """Writes variables, leaves [S, ...], as plain arrays named by their place."""
    with replacing(path) as file:
        np.savez_compressed(file, **jax.tree.map(np.asarray, traverse_util.flatten_dict(variables, sep="/")))


def load(path: pathlib.Path, backbone: nn.Module, row: jax.Array, num_snapshots: int = 1) -> Source:
    """Reads a source network.

    Args:
      path: of the `.npz` file.
      backbone: the network it must be.
      row: an input [1, ...].
      num_snapshots: how many of its last snapshots to keep.

    Returns:
      the network. FileNotFoundError or ValueError, with path and array, for a file that is not there, is damaged, or
      holds another network.
    """
    try:
        arrays = npz.read(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"config.source: {error}; python -m experiments.train_source writes one") from None
    except ValueError as error:
        raise ValueError(f"config.source: {error}") from error
    kernel = arrays.get("params/head/kernel")
    if kernel is None or kernel.ndim != 3:
        raise ValueError(f"config.source: {path} holds no network (no params/head/kernel [S, H + 1, K])")
    model = Linear(backbone, kernel.shape[2])
    shapes = traverse_util.flatten_dict(jax.eval_shape(model.init, jax.random.key(0), row), sep="/")
    for name in sorted(shapes.keys() | arrays.keys()):
        wanted, found = getattr(shapes.get(name), "shape", None), getattr(arrays.get(name), "shape", (0,))[1:]
        if wanted != found or name not in arrays:
            what = f"{labels.short(name)} has shape {found}, wanted {wanted}"
            raise ValueError(f"config.source: {path} is of another network: {what}")
    if num_snapshots > len(kernel):
        raise ValueError(f"config.snapshots: {path} has {len(kernel)} snapshots, got {num_snapshots}")
    kept = {name: jnp.asarray(array[-num_snapshots:]) for name, array in arrays.items()}
    return Source(model, traverse_util.unflatten_dict(kept, sep="/"))


def look(source: Source, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Features [N, H] and probabilities of the source's classes [N, K'], averaged over the snapshots.

    Args:
      source: the network.
      inputs: [N, ...], scaled as its training rows were.
    """

    @jax.jit
    def of_snapshot(variables, inputs):
        def outputs(rows):
            result = source.model.apply(variables, rows)
            return result.features, jax.nn.softmax(result.logits)

        return train.in_chunks(outputs, inputs)

    num = len(jax.tree.leaves(source.variables)[0])
    seen = [of_snapshot(jax.tree.map(lambda x, i=i: x[i], source.variables), inputs) for i in range(num)]
    return jax.tree.map(lambda *parts: sum(parts) / num, *seen)


def standardized(features: jax.Array, *others: jax.Array) -> tuple[jax.Array, ...]:
    """Features [N, H] and further rows [n, H], less the mean and over the deviation of each feature in the first."""
    mean, deviation = jnp.mean(features, axis=0), jnp.std(features, axis=0)
    deviation = jnp.where(deviation > 0, deviation, 1.0)
    return tuple((rows - mean) / deviation for rows in (features, *others))


def transplant(variables: Any, source: Source) -> Any:
    """Start variables of a network with the backbone of a source in them, and all that moves with it."""
    last = jax.tree.map(lambda x: x[-1], source.variables)
    params = {**variables["params"], "backbone": last["params"]["backbone"]}
    return {**variables, **{name: tree for name, tree in last.items() if name != "params"}, "params": params}
