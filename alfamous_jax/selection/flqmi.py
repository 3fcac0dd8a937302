"""FLQMI of SIMILAR: rows whose gradients are like those of chosen labelled rows, such as the ones of rare classes."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST, dot
from alfamous_jax.selection import _greedy, _sphere

MOST_TARGETS = 256
Data = tuple[jax.Array, jax.Array]  # similarities to the targets [N, Q], what a row is worth by itself [N]


@convert.door
@partial(jax.jit, static_argnames=("budget", "most_targets"))
def select(
    probs: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    targets: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    eta: jax.Array | float = 1.0,
    most_targets: int = MOST_TARGETS,
) -> Selection:
    """FLQMI (Kothawade et al., NeurIPS 2021): covers the targets, and stays near them.

    Minimises minus f(A) = sum_q t_q max_{a in A} s_qa + eta sum_{a in A} max_q s_qa, with s = (1 + cos) / 2 between
    gradients of the last layer, (p - onehot) outer h, at the predicted class of a row and the true one of a target.
    Greedy picks reach 1 - 1/e of the most that a batch can have. No gradient is formed, as their cosine is a product of
    two; no matrix is larger than N x Q.

    Args:
      probs: class probabilities [N, K].
      features: inputs of the last layer [N, H]; only their directions count.
      labels: [N]; only those of targets are looked at.
      targets: t, how much each row counts as a target [N], not negative, 0 for all but labelled rows; 1 in the paper.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      eta: how much it counts that picks are like some target [], not negative.
      most_targets: Q, static; of more, those that count most are looked at, of equals the lowest.

    Returns:
      the selection in the order picked, ties to the lowest index; no batch has an objective below the bound, which is
      the objective less the b largest gains that are left. Where no row is a target, all rows are worth the same.

    Raises:
      ValueError: budget or most_targets below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import flqmi
      >>> features = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9], [-1.0, 0.0]])
      >>> probs, target = jnp.full((5, 2), 0.5), jnp.array([1.0, 0.0, 0.0, 0.0, 0.0])
      >>> labels, available = jnp.zeros(5, int), jnp.arange(5) > 0
      >>> batch = flqmi.select(probs, features, labels, target, available, budget=2)
      >>> batch.indices.tolist(), round(-batch.objective.item(), 2)  # .997 + (.997 + .555)
      ([2, 3], 2.55)
    """
    chex.assert_rank([probs, features, labels, targets, available], [2, 2, 1, 1, 1])
    chex.assert_equal_shape_prefix([probs, features, labels, targets, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(probs))
    if most_targets < 1:
        raise ValueError(f"most_targets must be at least 1, got {most_targets}")
    probs, features = convert.in_common(probs, features)
    finite = jnp.all(jnp.isfinite(probs), axis=1) & jnp.all(jnp.isfinite(features), axis=1)
    probs, features = (jnp.where(finite[:, None], x, 0.0) for x in (probs, features))
    usable = available & finite
    weights, rows = jax.lax.top_k(jnp.where(finite, targets, 0.0).astype(probs.dtype), min(most_targets, len(probs)))
    alike = _similarities(probs, features, jnp.argmax(probs, axis=1), rows, convert.as_labels(labels)[rows])
    alike = jnp.where(weights > 0, alike, 0.0)
    data = alike, eta * jnp.max(alike, axis=1)

    def score(covered: jax.Array, data: Data) -> jax.Array:
        return jnp.dot(jnp.maximum(data[0] - covered, 0.0), weights, precision=HIGHEST) + data[1]

    def update(covered: jax.Array, one: Data) -> jax.Array:
        return jnp.maximum(covered, one[0])

    covered, indices = _greedy.lazy_greedy(jnp.zeros_like(weights), score, update, data, usable, budget)
    worth = data[1].at[indices].get(mode="fill", fill_value=0.0)
    value = jnp.dot(weights, covered, precision=HIGHEST) + jnp.sum(jnp.where(indices >= 0, worth, 0.0))
    left = usable.at[jnp.where(indices >= 0, indices, len(probs))].set(False, mode="drop")
    gains = jax.lax.top_k(jnp.where(left, score(covered, data), 0.0), min(budget, len(probs)))[0]
    rounded = (len(weights) + budget) * jnp.finfo(value.dtype).eps * (value + jnp.sum(gains))
    bound = jnp.where(jnp.any(left), -(value + jnp.sum(gains) + rounded), -value)
    return Selection(indices, jnp.sum(indices >= 0), jnp.sum(available & ~finite), -value, bound)


def _similarities(
    probs: jax.Array, features: jax.Array, predicted: jax.Array, rows: jax.Array, labels: jax.Array
) -> jax.Array:
    """Of the gradients of all rows and of some with their labels [N, Q], from 0 to 1."""
    errors = _sphere.unit(probs - jax.nn.one_hot(predicted, probs.shape[1], dtype=probs.dtype))
    known = _sphere.unit(probs[rows] - jax.nn.one_hot(labels, probs.shape[1], dtype=probs.dtype))
    inputs = _sphere.unit(features)
    return 0.5 + 0.5 * dot(errors, known.T) * dot(inputs, inputs[rows].T)
