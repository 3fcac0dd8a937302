"""Minority-class-oriented sampling: ask for the classes that lack labels (Aggarwal et al., ICPR 2020, section 3.2)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import acquisition
from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import _greedy, _space, balance

Carry = tuple[jax.Array, jax.Array, jax.Array]  # lacking [K], candidates left [K], squares to the nearest one alike [N]

WITHIN = ("certain", "uncertain", "diverse")
AUXILIARY = ("random", "margin")


def allowance(counts: jax.Array) -> jax.Array:
    """How many labels each class lacks to the mean, Eq. 3, rounded down.

    Args:
      counts: labels of each class [K].

    Returns:
      labels lacked [K], int32.
    """
    return jnp.floor(balance.class_demand(counts, jnp.sum(counts)) + 1e-4).astype(jnp.int32)


@convert.door
@partial(jax.jit, static_argnames=("budget", "within", "auxiliary"))
def select(
    key: jax.Array,
    probs: jax.Array,
    counts: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    within: str = "diverse",
    auxiliary: str = "random",
) -> Selection:
    """Fills each class up to the mean with rows predicted to be of it, then the batch by an auxiliary utility.

    Minimises how many labels the classes still lack to the mean (`allowance`) after the batch, if the predictions are
    right: sum of the allowances less the picks for classes that lacked labels. No batch leaves less than
    sum_k allowance_k - min(b, sum_k min(allowance_k, candidates_k)), and filling slots one by one attains that.

    A slot goes to the class with the largest allowance left that has a candidate, the lowest of equals; where the
    allowances are no more than the batch this is the paper's rule, and where they are more it levels the classes.

    Args:
      key: consumed by the random auxiliary.
      probs: class probabilities [N, K]; the largest is a row's predicted class, Eq. 4.
      counts: labels of each class [K].
      features: [N, H], for "diverse".
      labels: true ones [N]; only those of labelled rows are looked at.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      within: order inside a class: "certain" is the largest margin first (CMCS), "uncertain" the smallest (UMCS),
        "diverse" the row that is farthest from the labelled rows of the class and the picks for it (DMCS), the
        farthest from the mean if there are none; static.
      auxiliary: "random" or "margin", the smallest margin first; static.

    Returns:
      the selection in the order picked, ties to the lowest index; its bound is its objective.

    Raises:
      ValueError: another order or auxiliary; budget below 1.
    """
    if within not in WITHIN or auxiliary not in AUXILIARY:
        raise ValueError(
            f"within must be one of {', '.join(WITHIN)} and auxiliary one of {', '.join(AUXILIARY)}, "
            f"got {within!r} and {auxiliary!r}"
        )
    contract.check_shapes(features[:, 0], probs, counts, available, budget)
    chex.assert_equal_shape([labels, labelled, available])
    counts = convert.as_counts(counts)
    labels, space = convert.as_labels(labels), _space.space_of(features, available | labelled)
    features = space.features
    valid = available & jnp.isfinite(space.squares) & jnp.all(jnp.isfinite(probs), axis=-1)
    predicted, margin = jnp.argmax(probs, axis=-1), acquisition.margin(probs)
    rest = margin if auxiliary == "margin" else jax.random.uniform(key, margin.shape, margin.dtype)
    candidates = jnp.zeros_like(counts).at[predicted].add(valid)

    def target(carry: Carry) -> tuple[jax.Array, jax.Array]:
        lacking, left, _ = carry
        return jnp.argmax(jnp.where(left > 0, lacking, 0)), jnp.any((left > 0) & (lacking > 0))

    def score(carry: Carry) -> jax.Array:
        minority, wanted = target(carry)
        inside = {"certain": -margin, "uncertain": margin}.get(within)
        if inside is None:
            inside = jnp.sqrt(jnp.where(jnp.isinf(carry[2]), space.squares, carry[2]))
        return jnp.where(wanted, jnp.where(predicted == minority, inside, -jnp.inf), rest)

    def update(carry: Carry, index: jax.Array) -> Carry:
        lacking, left, nearest = carry
        own = predicted[index]
        if within == "diverse":
            squares = _space.squares_to(space, features[index][None])[:, 0].at[index].set(0.0)
            nearest = jnp.where(predicted == own, jnp.minimum(nearest, squares), nearest)
        return lacking.at[own].add(-target(carry)[1].astype(jnp.int32)), left.at[own].add(-1), nearest

    start = jnp.full_like(space.squares, jnp.inf)
    if within == "diverse":
        finite = labelled & jnp.isfinite(space.squares)
        start = _space.squares_to_labelled(space, finite, (predicted, labels))
    lacking = allowance(counts)
    (left, *_), indices = _greedy.greedy((lacking, candidates, start), score, update, valid, budget)
    lacked = jnp.sum(left).astype(probs.dtype)
    return Selection(indices, jnp.sum(indices >= 0), jnp.sum(available & ~valid), lacked, lacked)
