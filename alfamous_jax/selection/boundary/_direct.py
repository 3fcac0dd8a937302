"""DIRECT: the best cut of a ranking under labels that may be wrong, and the rows round it (Nuggehalli et al., 2025)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection.boundary._line import Line, line, usable_rows


@convert.door
@partial(jax.jit, static_argnames=("budget", "round_size", "least", "axis_name"))
def direct(
    key: jax.Array,
    probs: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    round_size: int = 20,
    least: int = 60,
    axis_name: str | None = None,
) -> Selection:
    """Finds for each class the cut of its ranking that fits the labels best, and asks for the rows round it.

    Nuggehalli et al. (2025), Algorithms 1 and 2. Half of the budget narrows, for one class after the other from the
    rarest, the interval that the cut lies in: rows are drawn from it in rounds, and the end of it that more labels
    contradict moves inward. A single wrong label so misleads nobody, as it does in GALAXY. The other half are the rows
    nearest to the cuts, on both sides in turn, an equal share for each class. Minimises nothing.

    Args:
      key: consumed by draws and ties.
      probs: class probabilities [N, K].
      labels: the oracle's answers [N], revealed as rows are picked; those of the second half move no cut.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      round_size: rows that are labelled at a time in the first half, static.
      least: rows of the first half that a class gets; where they do not suffice for all, the rarest get them; static.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. The probabilities and labels of
        all rows are sent to every device once; features stay where they are.

    Returns:
      the selection in the order picked, -1 where the pool ran out; its objective NaN, its bound -inf.

    Raises:
      ValueError: budget, round_size or least below 1, or a pool without rows.
    """
    chex.assert_rank([probs, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([probs, labels, labelled, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(probs))
    if round_size < 1 or least < 1:
        raise ValueError(f"round_size and least must be at least 1, got {round_size} and {least}")
    num_classes = probs.shape[1]
    probs, labels, labelled, available = collectives.gather((probs, labels, labelled, available), axis_name)
    usable, num_invalid = usable_rows(probs, available)
    counts = jnp.sum(jax.nn.one_hot(labels, num_classes) * labelled[:, None], axis=0)
    rarest = jnp.argsort(counts, stable=True)

    narrowed = min(max(budget // 2 // least, 1), num_classes)
    rounds = max(budget // 2 // narrowed // round_size, 1)
    size = min(budget // 2 // narrowed // rounds, len(probs))
    after, early = _narrow(key, probs, labels, labelled, usable, rarest[:narrowed], rounds, size)
    cuts = jax.lax.map(lambda number: _cut(line(probs, number, labels, after, usable)), rarest)
    late = _around(probs, labels, after, usable, rarest, cuts, budget, budget - jnp.sum(early < len(probs)))

    rows = jnp.concatenate([early, late])
    rows = rows[jnp.argsort(rows >= len(probs), stable=True)][:budget]
    indices = jnp.where(rows < len(probs), rows, -1).astype(jnp.int32)
    return contract.without_objective(indices, num_invalid, probs.dtype)


def _narrow(
    key: jax.Array,
    probs: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    usable: jax.Array,
    numbers: jax.Array,
    rounds: int,
    size: int,
) -> tuple[jax.Array, jax.Array]:
    """Draws rows from the interval of each class and shortens it; the labelled rows after that [N], and the picks."""

    def of_class(labelled: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        key, number = now
        first = line(probs, number, labels, labelled, usable)
        low, high = interval(first)
        factor = jnp.maximum(inside(first, low, high), 1) ** (1.0 / rounds)

        def step(
            carry: tuple[jax.Array, jax.Array, jax.Array], key: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
            low, high, labelled = carry
            draw_key, coin_key = jax.random.split(key)
            one = line(probs, number, labels, labelled, usable)
            places = jnp.arange(len(probs))
            candidates = one.free & (places >= low) & (places < high)
            chance = jax.random.uniform(draw_key, one.free.shape)[one.order]
            worth, drawn = jax.lax.top_k(jnp.where(candidates, chance, -1.0), size)
            rows = jnp.where(worth >= 0, one.order[drawn], len(probs))
            labelled = labelled.at[rows].set(True, mode="drop")
            target = jnp.ceil(jnp.sum(candidates) / factor)
            low, high = shorten(coin_key, line(probs, number, labels, labelled, usable), low, high, target)
            return (low, high, labelled), rows

        (_, _, labelled), rows = jax.lax.scan(step, (low, high, labelled), jax.random.split(key, rounds))
        return labelled, rows.ravel()

    labelled, rows = jax.lax.scan(of_class, labelled, (jax.random.split(key, len(numbers)), numbers))
    return labelled, rows.ravel()


def interval(one: Line) -> tuple[jax.Array, jax.Array]:
    """From the last label of the class before any other, to the first of another after which there is none of it."""
    places, far = jnp.arange(len(one.signs)), jnp.sum(one.free | (one.signs != 0))  # behind it there is nothing
    others = jnp.min(jnp.where(one.signs < 0, places, far), initial=far)
    low = jnp.max(jnp.where((one.signs > 0) & (places < others), places, -1), initial=-1) + 1
    own = jnp.max(jnp.where(one.signs > 0, places, -1), initial=-1)
    high = jnp.min(jnp.where((one.signs < 0) & (places > own), places, far), initial=far)
    return low, high


def inside(one: Line, low: jax.Array, high: jax.Array) -> jax.Array:
    """How many rows that may be asked for stand at positions low <= i < high."""
    places = jnp.arange(len(one.free))
    return jnp.sum(one.free & (places >= low) & (places < high))


def shorten(
    key: jax.Array, one: Line, low: jax.Array, high: jax.Array, target: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Moves in the end of the interval at which a cut fits fewer labels, until few enough rows without one are left."""
    fit, rows = jnp.append(0, jnp.cumsum(one.signs)), jnp.append(0, jnp.cumsum(one.free))

    def move(ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        coin = jax.random.bernoulli(jax.random.fold_in(key, 2 * low + high))
        lower = (fit[low] < fit[high]) | ((fit[low] == fit[high]) & coin)
        return jnp.where(lower, low + 1, low), jnp.where(lower, high, high - 1)

    ends: tuple[jax.Array, jax.Array] = jax.lax.while_loop(
        lambda ends: rows[ends[1]] - rows[ends[0]] > target, move, (low, high)
    )
    return ends


def _cut(one: Line) -> jax.Array:
    """How many rows stand before the cut that fits most labels [], the middle one of those that fit as many."""
    fit = jnp.append(0, jnp.cumsum(one.signs))
    shown = jnp.arange(len(fit)) <= jnp.sum(one.free | (one.signs != 0))
    best = shown & (fit == jnp.max(jnp.where(shown, fit, -len(fit))))
    return jnp.argmax(jnp.cumsum(best) > jnp.sum(best) // 2)


def _around(
    probs: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    usable: jax.Array,
    numbers: jax.Array,
    cuts: jax.Array,
    budget: int,
    wanted: jax.Array,
) -> jax.Array:
    """The rows nearest to the cuts, class by class, behind and before in turn [b]; N beyond the number wanted."""
    places = jnp.arange(len(probs))

    def step(labelled: jax.Array, turn: jax.Array) -> tuple[jax.Array, jax.Array]:
        which, behind = turn % len(numbers), (turn // len(numbers)) % 2 == 0
        one = line(probs, numbers[which], labels, labelled, usable)
        after = one.free & (places >= cuts[which])
        before = one.free & ~after
        right, left = jnp.argmax(after), len(probs) - 1 - jnp.argmax(before[::-1])
        position = jnp.where((behind & jnp.any(after)) | ~jnp.any(before), right, left)
        row = jnp.where(jnp.any(one.free) & (turn < wanted), one.order[position], len(probs))
        return labelled.at[row].set(True, mode="drop"), row

    rows: jax.Array = jax.lax.scan(step, labelled, jnp.arange(budget))[1]
    return rows
