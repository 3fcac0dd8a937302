"""Training on a padded index buffer: one compilation for every number of labels.

The labelled set is a buffer of row indices of fixed length and a traced count. The number of steps of
an epoch follows the count, so nothing is recompiled and no step is spent on padding.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from alfamous_jax import metrics


class TrainInfo(NamedTuple):
    """What happened in training."""

    loss: jax.Array  # [epochs], mean cross-entropy over the rows of each epoch
    num_steps: jax.Array  # []


class Evaluation(NamedTuple):
    """Scores on a test set."""

    accuracy: jax.Array  # []
    macro_f1: jax.Array  # []


def direction(name: str, *, momentum: float = 0.9, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """The step direction of an optimiser, to be multiplied by minus the learning rate.

    Args:
      name: "sgd" (Nesterov momentum) or "adam".
      momentum: of SGD.
      weight_decay: added to the gradient of every parameter, head and biases included.

    Returns:
      an optax transformation.
    """
    if name == "sgd":
        step = optax.trace(decay=momentum, nesterov=True)
    elif name == "adam":
        step = optax.scale_by_adam()
    else:
        raise ValueError(f"optimizer must be 'sgd' or 'adam', got {name!r}")
    return optax.chain(optax.add_decayed_weights(weight_decay), step)


@partial(jax.jit, static_argnames=("model", "optimizer", "schedule", "epochs", "batch_size"))
def fit(
    key: jax.Array,
    variables: dict[str, Any],
    inputs: jax.Array,
    labels: jax.Array,
    indices: jax.Array,
    count: jax.Array,
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    schedule: Callable[[jax.Array], jax.Array],
    epochs: int,
    batch_size: int,
) -> tuple[dict[str, Any], TrainInfo]:
    """Trains from `variables` on the rows inputs[indices[:count]], each once an epoch.

    Args:
      key: consumed; orders the rows.
      variables: where to start, from `model.init`; a cold start passes the same every cycle.
      inputs: pool inputs [N, ...].
      labels: pool labels [N].
      indices: buffer of labelled rows [M].
      count: how many of them are real [], at least 1.
      model: flax module whose outputs have `logits`; static.
      optimizer: of `direction`; static, so build it once.
      schedule: epoch -> learning rate; static.
      epochs: static.
      batch_size: static; the last batch of an epoch may be smaller and its loss is the mean over its rows.

    Returns:
      the trained variables and what happened.
    """
    chex.assert_rank([indices, count], [1, 0])
    constants = {"random_features": variables.get("random_features", {})}
    moving = {name: tree for name, tree in variables.items() if name not in ("params", "random_features")}
    rows, targets = inputs[indices], labels[indices]
    slots = -(-indices.shape[0] // batch_size) * batch_size
    steps_per_epoch = -(-count // batch_size)

    def loss_fn(params, moving, batch, weight):
        variables = {"params": params, **moving, **constants}
        outputs, moved = model.apply(variables, rows[batch], train=True, mutable=list(moving))
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs.logits, targets[batch])
        return jnp.sum(losses * weight) / jnp.sum(weight), moved

    def step(i, carry, order, rate):
        params, moving, opt_state, total = carry
        batch = jax.lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
        weight = (i * batch_size + jnp.arange(batch_size) < count).astype(jnp.float32)
        (loss, moving), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, moving, batch, weight)
        update, opt_state = optimizer.update(grads, opt_state, params)
        params = jax.tree.map(lambda p, u: p - rate * u, params, update)
        return params, moving, opt_state, total + loss * jnp.sum(weight)

    def epoch(carry, inputs):
        number, key = inputs
        order = jnp.pad(_shuffle(key, indices.shape[0], count), (0, slots - indices.shape[0]))
        one_step = partial(step, order=order, rate=schedule(number))
        *state, total = jax.lax.fori_loop(0, steps_per_epoch, one_step, (*carry, jnp.zeros(())))
        return tuple(state), total / count

    start = (variables["params"], moving, optimizer.init(variables["params"]))
    numbered = (jnp.arange(epochs), jax.random.split(key, epochs))
    (params, moving, _), losses = jax.lax.scan(epoch, start, numbered)
    return {"params": params, **moving, **constants}, TrainInfo(losses, steps_per_epoch * epochs)


@partial(jax.jit, static_argnames=("model", "num_classes"))
def evaluate(
    variables: dict[str, Any], inputs: jax.Array, labels: jax.Array, *, model: nn.Module, num_classes: int
) -> Evaluation:
    """Accuracy and macro F1 of the mean weights; mean-field scaling would not move a prediction.

    Args:
      variables: trained.
      inputs: test inputs [N, ...].
      labels: test labels [N].
      model: static.
      num_classes: K, static.

    Returns:
      the scores.
    """
    predictions = jnp.argmax(model.apply(variables, inputs).logits, axis=-1)
    return Evaluation(metrics.accuracy(labels, predictions), metrics.macro_f1(labels, predictions, num_classes))


def _shuffle(key, length, count):
    """A permutation of 0..length-1 whose first `count` entries are a random order of 0..count-1."""
    draws = jax.random.uniform(key, (length,))
    return jnp.argsort(jnp.where(jnp.arange(length) < count, draws, 2.0 + jnp.arange(length)))
