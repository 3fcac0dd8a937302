"""A cost-sensitive linear support vector machine, all classes in one matrix (minority-class AL, section 3.3)."""

from functools import partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from alfamous_jax import imbalance
from alfamous_jax.core import convert
from alfamous_jax.core.numerics import HIGHEST

TOLERANCE = 1e-5  # of a fit, the largest entry of each class's gradient over that at the start


class SVM(NamedTuple):
    """One hyperplane for each class against the rest."""

    weights: jax.Array  # [K, H]
    bias: jax.Array  # [K]


class SvmInfo(NamedTuple):
    """How the fit ended."""

    objective: jax.Array  # [K], of each class
    num_steps: jax.Array  # []
    gradient: jax.Array  # [], the largest entry of a class's gradient over that at the start


def decide(svm: SVM, features: jax.Array) -> jax.Array:
    """Decision values [N, K] of features [N, H]; the largest is the predicted class, their softmax its probability."""
    return jnp.dot(features, svm.weights.T, precision=HIGHEST) + svm.bias


def objective(svm: SVM, features: jax.Array, labels: jax.Array, weight: jax.Array, cost: float = 1.0) -> jax.Array:
    """(||w_k||^2 + bias_k^2) / 2 + cost sum_i weight_i max(0, 1 - t_ik f_ik)^2, t = 1 for the row's class and -1 else.

    Args:
      svm: the hyperplanes.
      features: [M, H].
      labels: [M], in 0..K-1.
      weight: of each row [M], 0 for padding.
      cost: C.

    Returns:
      objective of each class [K]; the bias is penalised too, as in liblinear.
    """
    targets = 2.0 * jax.nn.one_hot(labels, svm.bias.shape[0], dtype=features.dtype) - 1.0
    slack = jnp.maximum(0.0, 1.0 - targets * decide(svm, features))
    norm = jnp.sum(svm.weights**2, axis=1) + svm.bias**2
    return 0.5 * norm + cost * jnp.sum(weight[:, None] * slack**2, axis=0)


@partial(jax.jit, static_argnames=("num_classes", "balanced", "max_steps"))
def fit(
    features: jax.Array,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    *,
    cost: float = 1.0,
    balanced: bool = True,
    max_steps: int = 1000,
    tolerance: float = TOLERANCE,
) -> tuple[SVM, SvmInfo]:
    """Minimises the squared hinge loss by L-BFGS, from 0.

    Args:
      features: labelled rows in a padded buffer [M, H], of similar scale.
      labels: [M], in 0..K-1.
      mask: which rows of the buffer count [M].
      num_classes: K, static.
      cost: C; 1 in the paper's reconstruction.
      balanced: rows weigh n / (K n_k), `imbalance.class_weights`, or all the same; static.
      max_steps: static.
      tolerance: where to stop, the largest entry of each class's gradient over that at the start; a fit whose
        `gradient` is above it has run out of steps.

    Returns:
      the hyperplanes, and how the fit ended. A class without labels is never decided for.
    """
    chex.assert_rank([features, labels, mask], [2, 1, 1])
    features, labels = convert.as_float(features), convert.as_labels(labels)
    counts = jnp.sum(jax.nn.one_hot(labels, num_classes) * mask[:, None], axis=0)
    weight = jnp.where(mask, imbalance.class_weights(counts)[labels] if balanced else 1.0, 0.0)
    weight = weight.astype(features.dtype)
    rows = jnp.where(mask[:, None], features, 0.0)

    def total(svm: SVM) -> jax.Array:
        return jnp.sum(objective(svm, rows, labels, weight, cost))

    solver = optax.lbfgs(memory_size=20)
    value_and_grad = optax.value_and_grad_from_state(total)
    start = SVM(jnp.zeros((num_classes, features.shape[1]), features.dtype), jnp.zeros(num_classes, features.dtype))
    first = _slopes(jax.grad(total)(start))

    def step(state: tuple[SVM, Any, jax.Array, jax.Array]) -> tuple[SVM, Any, jax.Array, jax.Array]:
        svm, solver_state, number, _ = state
        value, grad = value_and_grad(svm, state=solver_state)
        update, solver_state = solver.update(grad, solver_state, svm, value=value, grad=grad, value_fn=total)
        svm = optax.apply_updates(svm, update)
        slopes = _slopes(optax.tree.get(solver_state, "grad"))
        return svm, solver_state, number + 1, jnp.max(slopes / jnp.where(first > 0, first, 1.0))

    def going(state: tuple[SVM, Any, jax.Array, jax.Array]) -> jax.Array:
        return (state[2] < max_steps) & (state[3] > tolerance)

    begin = start, solver.init(start), jnp.asarray(0), jnp.ones((), features.dtype)
    svm, _, number, left = jax.lax.while_loop(going, step, begin)
    info = SvmInfo(objective(svm, rows, labels, weight, cost), number, left)
    return svm._replace(bias=jnp.where(counts > 0, svm.bias, -jnp.inf)), info


def _slopes(gradient: SVM) -> jax.Array:
    """The largest entry of each class's gradient [K]."""
    return jnp.maximum(jnp.max(jnp.abs(gradient.weights), axis=1), jnp.abs(gradient.bias))
