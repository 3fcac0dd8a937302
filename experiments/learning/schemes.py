"""How a lane learns from its labels: a network, or a linear SVM on fixed features (ICPR 2020, section 3.3)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from ml_collections import FrozenConfigDict

from alfamous_jax.datasets import scaling
from alfamous_jax.networks import augment, choose_head, linear, mapped, svm, train
from alfamous_jax.networks.mapped import Mapped
from experiments.learning.models import build_model, ridges_of
from experiments.learning.problem import Data, load_dataset

AUGMENTATIONS = ("none", "affine", "flip_and_crop")


class Learned(NamedTuple):
    """What a scheme says of its fit."""

    loss: jax.Array  # of the last epoch, or the objective
    converged: jax.Array  # [], True where nothing can say that it did not
    ridge: jax.Array  # [], of the last layer, NaN where it was not chosen
    place: jax.Array  # [], of its map among those of the config, -1 where there is none


class Scheme(NamedTuple):
    """A way of learning; all of it is traced."""

    model: Any  # a flax module
    inputs: Callable[[Data], tuple[jax.Array, jax.Array]]  # what the model takes of the training and the test rows
    fit: Callable[..., tuple[Any, Learned]]  # (key, start, data, rows [M], count)
    has_posterior: bool  # whether the last layer is probabilistic; else strategies see a covariance of 0, the softmax
    has_logits: bool = True  # whether the softmax of what it says are probabilities


def build(config: FrozenConfigDict, name: str) -> Scheme:
    """The scheme of a name of `plan.strategies.SCHEMES` but "switch", which is two of them."""
    if name in ("svm", "cs-svm"):
        return _machine(config, balanced=name == "cs-svm")
    if config.head == "map":
        return _map_head(config)
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
        "plateau": optax.contrib.reduce_on_plateau(config.decay, config.plateau) if config.plateau else None,
    }


def _network(config: FrozenConfigDict, thresholded: bool) -> Scheme:
    model, how = build_model(config), training(config)

    def fit(key: jax.Array, start: Any, data: Data, rows: jax.Array, count: jax.Array) -> tuple[Any, Learned]:
        start = {name: tree for name, tree in start.items() if name != "posterior"}
        variables, info = train.fit(key, start, data.inputs, data.labels, rows, count, model=model, **how)
        learned = _said(info.loss)
        if config.refit:
            variables, learned = _refit(config, model, key, variables, data, rows, count, info.loss)
        if thresholded:
            variables = linear.with_prior_threshold(variables, _counts(config, data, rows, count))
        return variables, learned

    return Scheme(model, lambda data: (data.inputs, data.x_test), fit, has_posterior=config.posterior)


def _refit(
    config: FrozenConfigDict,
    model: Any,
    key: jax.Array,
    variables: Any,
    data: Data,
    rows: jax.Array,
    count: jax.Array,
    loss: jax.Array,
) -> tuple[Any, Learned]:
    """The last layer fitted exactly to the features of the labelled rows, which count as of norm 1 on average."""
    mask = jnp.arange(rows.size) < count
    phi = train.in_chunks(lambda chunk: model.apply(variables, data.inputs[chunk]).phi, rows)
    square = jnp.sum(jnp.where(mask[:, None], phi, 0.0) ** 2) / count
    size = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    choice = _choose(config, key, [phi / size], data.labels[rows], mask)
    head = {**variables["params"]["head"], "kernel": choice.mean.T / size}
    ridge = choice.ridge * size**2
    variables = {**variables, "params": {**variables["params"], "head": head}, "posterior": {"ridge": ridge}}
    return variables, Learned(loss, choice.info.converged, choice.ridge, jnp.asarray(-1))


def _map_head(config: FrozenConfigDict) -> Scheme:
    """No network: the rows under the map of `config.maps` that suits the labels best, and an exact fit."""
    model = build_model(config)

    def fit(key: jax.Array, start: Any, data: Data, rows: jax.Array, count: jax.Array) -> tuple[Any, Learned]:
        mask = jnp.arange(rows.size) < count
        phi: Any = model.apply(start, data.inputs[rows], method=Mapped.every)
        choice = _choose(config, key, phi, data.labels[rows], mask)
        variables = mapped.with_choice(start, choice.place, choice.mean) | {"posterior": {"ridge": choice.ridge}}
        return variables, Learned(choice.info.objective, choice.info.converged, choice.ridge, choice.place)

    return Scheme(model, lambda data: (data.inputs, data.x_test), fit, has_posterior=config.posterior)


def _choose(
    config: FrozenConfigDict, key: jax.Array, phi: Sequence[jax.Array], labels: jax.Array, mask: jax.Array
) -> choose_head.Choice:
    ridges, criterion = jnp.asarray(ridges_of(config), jnp.float32), config.criterion
    if criterion == "auto":
        criterion = "loo" if config.head == "map" else "evidence"
    return choose_head.choose(key, phi, labels, mask, config.num_classes, ridges, criterion=criterion)


def _said(loss: jax.Array, converged: jax.Array | bool = True) -> Learned:
    """Of a fit without a ridge of its own."""
    return Learned(loss, jnp.asarray(converged), jnp.full((), jnp.nan), jnp.asarray(-1))


def _machine(config: FrozenConfigDict, balanced: bool) -> Scheme:
    model = linear.Linear(linear.Identity(), config.num_classes)

    def fit(key: jax.Array, start: Any, data: Data, rows: jax.Array, count: jax.Array) -> tuple[Any, Learned]:
        mask = jnp.arange(rows.size) < count
        machine, info = svm.fit(
            _fixed(data)[0][rows], data.labels[rows], mask, config.num_classes, cost=config.svm_cost, balanced=balanced
        )
        bias = jnp.maximum(machine.bias, linear.NEVER)
        variables = linear.with_head(start, jnp.concatenate([machine.weights.T, bias[None]]))
        return variables, _said(jnp.sum(info.objective), info.gradient <= svm.TOLERANCE)

    return Scheme(model, _fixed, fit, has_posterior=False, has_logits=False)


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
    ends: Any = scaling.pixel_ends(load_dataset(config))
    black, white = ends

    def affine(key: jax.Array, images: jax.Array) -> jax.Array:
        affine_key, jitter_key = jax.random.split(key)
        return augment.jitter(jitter_key, augment.affine(affine_key, images, black), black, white)

    return affine if config.augment == "affine" else partial(augment.flip_and_crop, black=black)


def _schedule(config: FrozenConfigDict) -> optax.Schedule:
    """Learning rate by epoch: a cosine to 0, lower by config.decay at every milestone, or as the loss has it later."""
    if config.plateau:
        return optax.constant_schedule(config.learning_rate)
    if not config.milestones:
        return optax.cosine_decay_schedule(config.learning_rate, config.epochs)
    return optax.piecewise_constant_schedule(config.learning_rate, dict.fromkeys(config.milestones, config.decay))
