"""Training on a padded index buffer: one compilation for every number of labels.

The labelled set is a buffer of row indices of fixed length and a traced count. The number of steps of
an epoch follows the count, so nothing is recompiled and no step is spent on padding.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from alfamous_jax import metrics
from alfamous_jax.core import convert

CHUNK = 256  # rows whose activations are held at a time
Augment = Callable[[jax.Array, jax.Array], jax.Array]
Arrays = TypeVar("Arrays")  # an array, or a tree of them


class TrainInfo(NamedTuple):
    """What happened in training."""

    loss: jax.Array  # [epochs], mean cross-entropy over the rows of each epoch
    num_steps: jax.Array  # []


class Evaluation(NamedTuple):
    """Scores on a test set."""

    accuracy: jax.Array  # []
    macro_f1: jax.Array  # []
    recall: jax.Array  # [K], the accuracy of each class
    log_loss: jax.Array  # [], nats
    calibration_error: jax.Array  # [], in 15 bins


OPTIMIZERS = ("sgd", "adam")


def direction(name: str, *, momentum: float = 0.9, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """The step direction of an optimiser, to be multiplied by minus the learning rate.

    Args:
      name: "sgd" (Nesterov momentum: the code of CBAL and of the fast update's authors; all papers print "momentum") or
        "adam".
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


@partial(
    jax.jit,
    static_argnames=(
        "model", "optimizer", "schedule", "epochs", "batch_size", "augment", "dropout", "num_snapshots", "plateau"
    ),
)  # fmt: skip
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
    augment: Augment | None = None,
    dropout: bool = False,
    num_snapshots: int = 1,
    plateau: optax.GradientTransformationExtraArgs | None = None,
) -> tuple[dict[str, Any], TrainInfo]:
    """Trains from `variables` on the rows inputs[indices[:count]], each once an epoch.

    Args:
      key: consumed; orders the rows, augments them and drops units.
      variables: where to start, from `model.init`; a cold start passes the same every cycle.
      inputs: pool inputs [N, ...].
      labels: pool labels [N].
      indices: buffer of labelled rows [M].
      count: how many of them are real [], at least 1.
      model: flax module, called with (inputs, train, mask), whose outputs have `logits`; static. A row of a
        batch whose mask is False is padding: it has no weight in the loss and none in batch statistics.
      optimizer: of `direction`; static, so build it once.
      schedule: epoch -> learning rate; static.
      epochs: static.
      batch_size: static; the last batch of an epoch may be smaller and its loss is the mean over its rows.
      augment: (key, batch [batch_size, ...]) -> batch, applied to every training batch; static.
      dropout: whether the model is given the stream `dropout`; static.
      num_snapshots: S, a divisor of epochs; static.
      plateau: of `optax.contrib.reduce_on_plateau`, told the mean loss of every epoch, whose scale multiplies the
        schedule (minority-class AL waits 10 epochs); static, so build it once.

    Returns:
      the trained variables and what happened. With S > 1 the leaves are [S, ...]: after every epochs / S epochs, for
      ensembles (imbalanced single-stage AL has 6 of 90 epochs). ValueError where S does not divide.
    """
    chex.assert_rank([indices, count], [1, 0])
    if num_snapshots < 1 or epochs % num_snapshots:
        raise ValueError(f"num_snapshots must divide the {epochs} epochs, got {num_snapshots}")
    constants = {name: tree for name, tree in variables.items() if name == "random_features"}
    moving = {name: tree for name, tree in variables.items() if name not in ("params", "random_features")}
    rows, targets = inputs[indices], convert.as_labels(labels)[indices]
    slots = -(-indices.shape[0] // batch_size) * batch_size
    steps_per_epoch = -(-count // batch_size)

    def loss_fn(params: Any, moving: Any, batch: jax.Array, targets: jax.Array, weight: jax.Array, rngs: Any) -> Any:
        variables = {"params": params, **moving, **constants}
        outputs, moved = model.apply(variables, batch, train=True, mask=weight > 0, mutable=list(moving), rngs=rngs)
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs.logits, targets)
        return jnp.sum(losses * weight) / jnp.sum(weight), moved

    def step(i: jax.Array, carry: Any, order: jax.Array, rate: jax.Array, augment_key: Any, dropout_key: Any) -> Any:
        params, moving, opt_state, total = carry
        chosen = jax.lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
        batch = rows[chosen] if augment is None else augment(jax.random.fold_in(augment_key, i), rows[chosen])
        rngs = {"dropout": jax.random.fold_in(dropout_key, i)} if dropout else None
        weight = (i * batch_size + jnp.arange(batch_size) < count).astype(jnp.float32)
        (loss, moving), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            params, moving, batch, targets[chosen], weight, rngs
        )
        update, opt_state = optimizer.update(grads, opt_state, params)
        params = jax.tree.map(lambda p, u: p - rate * u, params, update)
        return params, moving, opt_state, total + loss * jnp.sum(weight)

    def epoch(carry: Any, inputs: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        *carry, waited = carry
        number, key = inputs
        order_key, augment_key, dropout_key = _streams(key, augment is not None, dropout)
        order = jnp.pad(shuffle(order_key, indices.shape[0], count), (0, slots - indices.shape[0]))
        rate = schedule(number) if plateau is None else schedule(number) * waited.scale
        one_step = partial(step, order=order, rate=rate, augment_key=augment_key, dropout_key=dropout_key)
        *state, total = jax.lax.fori_loop(0, steps_per_epoch, one_step, (*carry, jnp.zeros(())))
        if plateau is not None:
            _, waited = plateau.update((), waited, value=total / count)
        return (*state, waited), total / count

    waited = None if plateau is None else plateau.init(variables["params"])
    start = (variables["params"], moving, optimizer.init(variables["params"]), waited)
    numbered = (jnp.arange(epochs), jax.random.split(key, epochs))
    if num_snapshots == 1:
        (params, moving, *_), losses = jax.lax.scan(epoch, start, numbered)
        return {"params": params, **moving, **constants}, TrainInfo(losses, steps_per_epoch * epochs)

    def part(carry: Any, numbered: Any) -> tuple[Any, Any]:
        carry, losses = jax.lax.scan(epoch, carry, numbered)
        return carry, (carry[:2], losses)

    numbered = jax.tree.map(lambda x: x.reshape(num_snapshots, -1, *x.shape[1:]), numbered)
    _, ((params, moving), losses) = jax.lax.scan(part, start, numbered)
    constants = jax.tree.map(lambda x: jnp.stack([x] * num_snapshots), constants)
    return {"params": params, **moving, **constants}, TrainInfo(losses.ravel(), steps_per_epoch * epochs)


def in_chunks(function: Callable[[jax.Array], Arrays], rows: jax.Array, chunk: int = CHUNK) -> Arrays:
    """The function over all rows, a chunk at a time, so that only one chunk's activations are in memory.

    Args:
      function: [C, ...] -> arrays [C, ...], each row by itself.
      rows: [N, ...], such as the indices of the rows to look up.
      chunk: rows at a time, static; with fewer of them there is one chunk.

    Returns:
      what the function gives, [N, ...].
    """
    num_rows = len(rows)
    num_chunks = max(1, -(-num_rows // chunk))
    size = -(-num_rows // num_chunks)
    if num_chunks == 1:
        return function(rows)
    padded = jnp.pad(rows, [(0, num_chunks * size - num_rows)] + [(0, 0)] * (rows.ndim - 1))
    results = jax.lax.map(function, padded.reshape(num_chunks, size, *rows.shape[1:]))
    unpadded: Arrays = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:num_rows], results)
    return unpadded


@partial(jax.jit, static_argnames=("model", "num_classes"))
def evaluate(
    variables: dict[str, Any], inputs: jax.Array, labels: jax.Array, *, model: nn.Module, num_classes: int
) -> Evaluation:
    """Scores of the mean weights and their softmax; mean-field scaling would move the last two and no prediction.

    Args:
      variables: trained.
      inputs: test inputs [N, ...].
      labels: test labels [N].
      model: static.
      num_classes: K, static.

    Returns:
      the scores.
    """
    probs = in_chunks(lambda x: jax.nn.softmax(_outputs(model, variables, x).logits), inputs)
    predictions = jnp.argmax(probs, axis=1)
    by_class = (score(labels, predictions, num_classes) for score in (metrics.macro_f1, metrics.recall))
    sure = (score(labels, probs) for score in (metrics.log_loss, metrics.calibration_error))
    return Evaluation(metrics.accuracy(labels, predictions), *by_class, *sure)


@partial(jax.jit, static_argnames=("model", "num_samples"))
def mc_dropout(
    key: jax.Array, variables: dict[str, Any], inputs: jax.Array, rows: jax.Array, *, model: nn.Module, num_samples: int
) -> jax.Array:
    """Class probabilities under draws of the dropout masks, one mask a draw for all rows (Gal and Ghahramani, 2016).

    Args:
      key: consumed.
      variables: trained; batch statistics stay as they are.
      inputs: [M, ...].
      rows: which of them [N].
      model: static; one without dropout gives the same probabilities in every draw.
      num_samples: S, static.

    Returns:
      probabilities [S, N, K], for `acquisition.bald` and `batch_bald.select`.
    """

    def draw(key: jax.Array) -> jax.Array:
        return in_chunks(lambda chunk: jax.nn.softmax(_outputs(model, variables, inputs[chunk], key).logits), rows)

    probs: jax.Array = jax.lax.map(draw, jax.random.split(key, num_samples))
    return probs


def _outputs(model: nn.Module, variables: Any, x: jax.Array, dropout: jax.Array | None = None) -> Any:
    return model.apply(variables, x, rngs=None if dropout is None else {"dropout": dropout})


def _streams(key: jax.Array, augment: bool, dropout: bool) -> tuple[jax.Array, jax.Array | None, jax.Array | None]:
    """Keys of the order of the rows, of their augmentation and of dropout; the key itself where the first is alone."""
    if not augment and not dropout:
        return key, None, None
    order, *others = jax.random.split(key, 1 + augment + dropout)
    return order, others[0] if augment else None, others[-1] if dropout else None


def shuffle(key: jax.Array, length: int, count: jax.Array) -> jax.Array:
    """A permutation of 0..length-1 whose first `count` entries are a random order of 0..count-1.

    Args:
      key: consumed.
      length: static.
      count: [].

    Returns:
      order [length].
    """
    draws = jax.random.uniform(key, (length,))
    return jnp.argsort(jnp.where(jnp.arange(length) < count, draws, 2.0 + jnp.arange(length)))
