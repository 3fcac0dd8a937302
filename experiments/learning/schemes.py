"""How a lane learns from its labels: a network, or a linear SVM on fixed features (ICPR 2020, section 3.3)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import FrozenConfigDict

from alfamous_jax import datasets
from alfamous_jax.networks import augment, linear, svm, train
from experiments.learning.problem import Data, build_model, load_dataset

AUGMENTATIONS = ("none", "affine", "flip_and_crop")


class Scheme(NamedTuple):
    """A way of learning; all of it is traced."""

    model: Any  # a flax module
    inputs: Callable[[Data], tuple[jax.Array, jax.Array]]  # what the model takes of the training and the test rows
    fit: Callable[..., tuple[Any, jax.Array]]  # (key, start, data, rows [M], count) -> variables, loss
    has_posterior: bool  # whether the last layer is probabilistic


def build(config: FrozenConfigDict, name: str) -> Scheme:
    """The scheme of a name of `plan.strategies.SCHEMES` but "switch", which is two of them."""
    if name in ("svm", "cs-svm"):
        return _machine(config, balanced=name == "cs-svm")
    return _network(config, thresholded=name == "network-th")


def training(config: FrozenConfigDict) -> dict[str, Any]:
    """What `train.fit` is told of a config besides the model."""
    return {
        "optimizer": train.direction(config.optimizer, momentum=config.momentum, weight_decay=config.weight_decay),
        "schedule": _schedule(config),
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "augment": _augmentation(config),
        "dropout": config.dropout > 0,
    }


def _network(config: FrozenConfigDict, thresholded: bool) -> Scheme:
    model, how = build_model(config), training(config)

    def fit(key: jax.Array, start: Any, data: Data, rows: jax.Array, count: jax.Array) -> tuple[Any, jax.Array]:
        variables, info = train.fit(key, start, data.inputs, data.labels, rows, count, model=model, **how)
        if thresholded:
            variables = linear.with_prior_threshold(variables, _counts(config, data, rows, count))
        return variables, info.loss

    return Scheme(model, lambda data: (data.inputs, data.x_test), fit, has_posterior=True)


def _machine(config: FrozenConfigDict, balanced: bool) -> Scheme:
    model = linear.Linear(linear.Identity(), config.num_classes)

    def fit(key: jax.Array, start: Any, data: Data, rows: jax.Array, count: jax.Array) -> tuple[Any, jax.Array]:
        mask = jnp.arange(rows.size) < count
        machine, info = svm.fit(
            _fixed(data)[0][rows], data.labels[rows], mask, config.num_classes, cost=config.svm_cost, balanced=balanced
        )
        bias = jnp.maximum(machine.bias, linear.NEVER)
        return linear.with_head(start, jnp.concatenate([machine.weights.T, bias[None]])), jnp.sum(info.objective)

    return Scheme(model, _fixed, fit, has_posterior=False)


def _fixed(data: Data) -> tuple[jax.Array, jax.Array]:
    """What an SVM sees of the rows and of the test set."""
    assert data.fixed is not None, "a config with an SVM in it has fixed features"
    return data.fixed


def _counts(config: FrozenConfigDict, data: Data, rows: jax.Array, count: jax.Array) -> jax.Array:
    known = jnp.arange(rows.size) < count
    return jnp.sum(jax.nn.one_hot(data.labels[rows], config.num_classes) * known[:, None], axis=0)


def _augmentation(config: FrozenConfigDict) -> train.Augment | None:
    """The distortions of training images; black and white are where the scaling of the data put them."""
    if config.augment == "none":
        return None
    mean, deviation = datasets.moments(load_dataset(config))
    ends: list[Any] = [np.float32((end - mean) / deviation) for end in (0, 255)]
    black, white = ends

    def affine(key: jax.Array, images: jax.Array) -> jax.Array:
        affine_key, jitter_key = jax.random.split(key)
        return augment.jitter(jitter_key, augment.affine(affine_key, images, black), black, white)

    return affine if config.augment == "affine" else partial(augment.flip_and_crop, black=black)


def _schedule(config: FrozenConfigDict) -> optax.Schedule:
    """Learning rate by epoch: a cosine to 0, or lower by config.decay at every milestone."""
    if not config.milestones:
        return optax.cosine_decay_schedule(config.learning_rate, config.epochs)
    return optax.piecewise_constant_schedule(config.learning_rate, dict.fromkeys(config.milestones, config.decay))
