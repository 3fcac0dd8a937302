"""Sub-pools: the few rows of a large pool that are worth a look, for any strategy to choose from."""

from collections.abc import Callable, Sequence
from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _sphere

ANCHORS, ANCHOR_NEIGHBOURS, SEALS_NEIGHBOURS = 10, 50, 100
SHOWN, ROUNDS, DRAWS, KEPT = 5000, 5, 100, 0.4
Member = Callable[[jax.Array, jax.Array], jax.Array]  # (key, rows [m]) -> places in rows [b], -1 for none


@convert.door
@partial(jax.jit, static_argnames=("size", "num_classes", "num_anchors", "num_neighbours"))
def anchoral(
    key: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    size: int,
    num_classes: int,
    num_anchors: int = ANCHORS,
    num_neighbours: int = ANCHOR_NEIGHBOURS,
) -> jax.Array:
    """AnchorAL (Lesci and Vlachos, NAACL 2024): the rows most like the anchors of every class, however rare it is.

    Each class has as many anchors, spread over its labelled rows by k-means++. An anchor retrieves its nearest
    available rows; a row's score is its mean cosine with the anchors that retrieved it. Any selector is then run on
    `features[rows]` with `available=rows >= 0`, and its picks are places in `rows`.

    Args:
      key: consumed.
      features: [N, H]; only their directions count.
      labels: of the labelled rows [N]; others are not looked at, nor is a label outside 0 to K - 1.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      size: M, static; at most as many as all anchors retrieve are found.
      num_classes: K, static.
      num_anchors: of a class, at most; static.
      num_neighbours: rows that an anchor retrieves; static.

    Returns:
      rows [M], int32, the highest score first, ties to the lowest index; -1 past the last.

    Raises:
      ValueError: a number below 1, labels that are no integers, or a pool without rows.

    Examples:
      >>> from alfamous_jax import subpool
      >>> features = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [-1.0, 0.1], [0.0, 2.0]])
      >>> labels, labelled = jnp.array([0, 1, -1, -1, -1]), jnp.arange(5) < 2
      >>> settings = {"size": 3, "num_classes": 2, "num_neighbours": 1}
      >>> subpool.anchoral(jax.random.key(0), features, labels, labelled, ~labelled, **settings).tolist()
      [4, 2, -1]
    """
    chex.assert_rank([features, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([features, labels, labelled, available], 1)
    _check(len(features), size=size, num_classes=num_classes, num_anchors=num_anchors, num_neighbours=num_neighbours)
    labels, finite = convert.as_labels(labels), jnp.all(jnp.isfinite(features), axis=1)
    rows, left = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), available & finite
    known = labelled & finite

    def of_class(total: tuple[jax.Array, jax.Array], label: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        members = known & (labels == label)
        number = jnp.minimum(jnp.sum(members), num_anchors)
        places = _sphere.spread(jax.random.fold_in(key, label), rows, members, number, num_anchors)
        cosines = dot(rows[places], rows.T)  # [A, N]
        hit = _nearest(cosines, jnp.arange(num_anchors) < number, left, num_neighbours)
        return (total[0] + jnp.sum(jnp.where(hit, cosines, 0.0), axis=0), total[1] + jnp.sum(hit, axis=0)), None

    begin = jnp.zeros(len(rows), rows.dtype), jnp.zeros(len(rows), jnp.int32)
    (sums, number), _ = jax.lax.scan(of_class, begin, jnp.arange(num_classes))
    return _best(jnp.where(number > 0, sums / jnp.maximum(number, 1), -jnp.inf), size)


@convert.door
@partial(jax.jit, static_argnames=("size", "num_neighbours"))
def seals(
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    size: int,
    num_neighbours: int = SEALS_NEIGHBOURS,
) -> jax.Array:
    """SEALS (Coleman et al., AAAI 2022): the rows that are among the nearest available ones of a labelled row.

    The paper keeps all of them. Where there are more than `size`, here those with the highest cosine stay.

    Args:
      features: [N, H]; only their directions count.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      size: M, static; at most `num_neighbours` for each labelled row are found.
      num_neighbours: rows that a labelled row brings in; static.

    Returns:
      rows [M], int32, the nearest first, ties to the lowest index; -1 past the last.

    Raises:
      ValueError: a number below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import subpool
      >>> features = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [-1.0, 0.1], [0.0, 2.0]])
      >>> labelled = jnp.arange(5) < 2
      >>> subpool.seals(features, labelled, ~labelled, size=3, num_neighbours=1).tolist()
      [4, 2, -1]
    """
    chex.assert_rank([features, labelled, available], [2, 1, 1])
    chex.assert_equal_shape_prefix([features, labelled, available], 1)
    _check(len(features), size=size, num_neighbours=num_neighbours)
    finite = jnp.all(jnp.isfinite(features), axis=1)
    rows, left = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), available & finite

    def look(nearest: jax.Array, places: jax.Array, real: jax.Array) -> jax.Array:
        cosines = dot(rows[places], rows.T)  # [B, N]
        hit = _nearest(cosines, real, left, num_neighbours)
        return jnp.maximum(nearest, jnp.max(jnp.where(hit, cosines, -jnp.inf), axis=0))

    begin = jnp.full(len(rows), -jnp.inf, rows.dtype)
    return _best(_sphere.in_blocks(labelled & finite, look, begin), size)


def refine(
    key: jax.Array,
    members: Sequence[Member],
    available: jax.Array,
    *,
    size: int,
    shown: int = SHOWN,
    rounds: int = ROUNDS,
    draws: int = DRAWS,
    kept: float = KEPT,
) -> jax.Array:
    """REFINE (Huseljic et al., 2025): the rows that some strategy of several picks, sieved round by round.

    In a round each strategy is shown random rows of the pool, many times anew, and picks a batch each time; the next
    pool are all rows that were picked. Any strategies may take part, balanced ones as well. A last selector, UHerding
    in the paper, is then run on `features[rows]` with `available=rows >= 0`; its picks are places in `rows`.

    Args:
      key: consumed.
      members: S functions (key, rows [m]) -> places in rows [b], -1 for none; rows of the pool, -1 past the last. Call
        all of this inside `jit`: every member is compiled twice, for the first round and the smaller ones after it.
      available: [N].
      size: M, static; of more rows as many are drawn before the next round, 10,000 in the paper.
      shown: rows that a strategy sees in the first round; static.
      rounds: T, static; 0 answers with the available rows.
      draws: of all strategies in a round, `draws` // S of each; static.
      kept: share of the pool that a strategy sees after the first round, b rows at least.

    Returns:
      rows [M], int32, by index; -1 past the last. Those of more rounds are among those of fewer.

    Raises:
      ValueError: a number below 1, rounds below 0, kept outside 0 to 1, fewer draws than members, or a pool without
        rows.

    Examples:
      >>> from alfamous_jax import subpool
      >>> def largest(key, rows):
      ...     return jax.lax.top_k(rows, 2)[1]  # the places of the two highest row numbers
      >>> subpool.refine(jax.random.key(0), [largest], jnp.ones(9, bool), size=4, draws=1).tolist()
      [7, 8, -1, -1]
    """
    available = jnp.asarray(available)
    chex.assert_rank(available, 1)
    _check(len(available), size=size, shown=shown, members=len(members), draws=draws)
    if rounds < 0 or not 0 <= kept <= 1 or draws < len(members):
        raise ValueError(
            f"rounds must be at least 0, kept from 0 to 1 and draws at least the {len(members)} members, "
            f"got {rounds}, {kept} and {draws}"
        )
    each, num_rows = draws // len(members), len(available)
    wide = min(shown, num_rows)
    like = jax.ShapeDtypeStruct((wide,), jnp.int32)
    budgets = [jax.eval_shape(member, key, like).shape[0] for member in members]
    most = min(size, each * sum(budgets))

    def sieve(pool: jax.Array, key: jax.Array, number: jax.Array | int, width: int) -> jax.Array:
        def draw(member: Member, key: jax.Array) -> jax.Array:
            rows_key, member_key = jax.random.split(key)
            rows = _drawn(rows_key, pool, number, width)
            places = member(member_key, rows)
            return jnp.where(places >= 0, rows[places], -1)

        *keys, last = jax.random.split(key, len(members) + 1)
        found = [
            jax.lax.map(partial(draw, member), jax.random.split(own, each)).ravel()
            for member, own in zip(members, keys, strict=True)
        ]
        return _at_most(last, _mask(jnp.concatenate(found), num_rows), size)

    def again(pool: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        sees = jnp.maximum(max(budgets), jnp.floor(kept * jnp.sum(pool)).astype(jnp.int32))
        return sieve(pool, jax.random.fold_in(key, number), sees, max(max(budgets), int(kept * most))), None

    first, start = jax.random.split(jax.random.fold_in(key, 0))
    pool = _at_most(start, available, size) if rounds == 0 else sieve(available, first, wide, wide)
    if rounds > 1:
        pool, _ = jax.lax.scan(again, pool, jnp.arange(1, rounds))
    return jnp.flatnonzero(pool, size=size, fill_value=-1).astype(jnp.int32)


def _drawn(key: jax.Array, pool: jax.Array, number: jax.Array | int, width: int) -> jax.Array:
    """Rows of a mask at random [width], as many as asked for, -1 past them."""
    chance = jnp.where(pool, jax.random.uniform(key, pool.shape), -1.0)
    worth, rows = jax.lax.top_k(jnp.pad(chance, (0, max(0, width - len(pool))), constant_values=-1.0), width)
    return jnp.where((worth >= 0) & (jnp.arange(width) < number), rows, -1).astype(jnp.int32)


def _at_most(key: jax.Array, pool: jax.Array, number: int) -> jax.Array:
    """A mask with no more rows than that, drawn where there are more."""
    return pool if number >= len(pool) else _mask(_drawn(key, pool, number, number), len(pool))


def _mask(rows: jax.Array, num_rows: int) -> jax.Array:
    return jnp.zeros(num_rows, bool).at[jnp.where(rows >= 0, rows, num_rows)].set(True, mode="drop")


def _check(num_rows: int, **numbers: int) -> None:
    contract.check_pool(num_rows)
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def _nearest(cosines: jax.Array, real: jax.Array, left: jax.Array, number: int) -> jax.Array:
    """Which of the rows left are the nearest of each real row [B, N], as many as asked for."""
    worth, places = jax.lax.top_k(jnp.where(left, cosines, -jnp.inf), min(number, cosines.shape[1]))
    places = jnp.where((worth > -jnp.inf) & real[:, None], places, cosines.shape[1])
    return jnp.zeros(cosines.shape, bool).at[jnp.arange(len(cosines))[:, None], places].set(True, mode="drop")


def _best(score: jax.Array, size: int) -> jax.Array:
    """The places of the highest finite scores [M], -1 past them."""
    worth, places = jax.lax.top_k(jnp.pad(score, (0, max(0, size - len(score))), constant_values=-jnp.inf), size)
    return jnp.where(jnp.isfinite(worth), places, -1).astype(jnp.int32)
