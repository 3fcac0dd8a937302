"""Local search over the rows near the threshold: swap a row of the batch for one outside while that pays."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core.numerics import dot, extremes, sums
from alfamous_jax.selection import _greedy

HEATS = 0.003, 0.1  # first temperature of the mildest and of the hottest chain, in units of lam
COOLED = 1 / 30  # last temperature over the first
DRAWN = 125  # steps whose random numbers are drawn together
SEED = 0  # of the draws, which are the same in every call
PAYS = 2e-7  # a swap must take more than this off the objective, relative to its terms


class Batch(NamedTuple):
    """Which rows of a window are chosen and what the classes are left short of."""

    inside: jax.Array  # [V]
    residual: jax.Array  # [K], demand less what the whole batch covers
    objective: jax.Array  # [], up to a constant: what the swaps have taken off it


Visit = tuple[Batch, jax.Array | int, jax.Array | int]  # and visits made, and those since the last swap
Draws = tuple[jax.Array, jax.Array]  # slot that leaves and slot that enters [C, 2], patience [C]
# rows in order [C, V], residual [C, K], objective, the best one [C], its order [C, V], temperature [C]
Chains = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


def descend(batch: Batch, utility: jax.Array, probs: jax.Array, usable: jax.Array, lam: jax.Array) -> Batch:
    """Visits the rows of the batch in turn and swaps each for its best substitute, until a whole round changes none.

    A swap of i for j is priced without the difference of two norms: with a = p_i - p_j and s the signs of
    the residual r, it is u_i - u_j + lam sum_k max(s_k a_k, -s_k a_k - 2 |r_k|).

    Args:
      batch: where to start.
      utility: [V].
      probs: [V, K].
      usable: rows that may enter [V].
      lam: [].

    Returns:
      a batch that no single swap improves, or the one after 20 rounds.
    """
    by_class, rows = probs.T, jnp.arange(utility.size)  # sums over classes run over the leading axis, over rows at once
    smallest, largest = extremes(utility)
    enough = PAYS * (jnp.maximum(largest, -smallest) + lam)

    def swap(batch: Batch, i: jax.Array) -> tuple[Batch, jax.Array]:
        sign = jnp.where(batch.residual < 0, -1.0, 1.0).astype(utility.dtype)
        change = sign[:, None] * (probs[i][:, None] - by_class)
        moved = jnp.sum(jnp.maximum(change, -change - 2 * jnp.abs(batch.residual)[:, None]), axis=0)
        price = jnp.where(usable & ~batch.inside, utility[i] - utility + lam * moved, jnp.inf)
        j = jnp.argmin(price)
        pays = price[j] < -enough
        swapped = Batch(
            jnp.where(rows == i, False, batch.inside | (rows == j)),
            batch.residual + probs[i] - probs[j],
            batch.objective + price[j],
        )
        return jax.lax.cond(pays, lambda: swapped, lambda: batch), pays

    def visit(state: Visit) -> Visit:
        batch, count, since = state
        i = jax.lax.rem(count, utility.size)
        batch, pays = jax.lax.cond(batch.inside[i], swap, lambda batch, _: (batch, jnp.array(False)), batch, i)
        return batch, count + 1, jnp.where(pays, 0, since + 1)

    def going(state: Visit) -> jax.Array | bool:
        return (state[2] < utility.size) & (state[1] < 20 * utility.size)

    start: Visit = (batch, 0, 0)
    return jax.lax.while_loop(going, visit, start)[0]


def anneal(
    batch: Batch,
    utility: jax.Array,
    probs: jax.Array,
    usable: jax.Array,
    lam: jax.Array,
    enough: jax.Array,
    num_steps: int | jax.Array,
) -> Batch:
    """Simulated annealing by random swaps in many chains side by side; returns the best batch that any of them saw.

    Args:
      batch: where all chains start.
      utility, probs, usable, lam: as for `descend`.
      enough: chains stop once one of them is at or below this objective [].
      num_steps: swaps tried by each chain.

    Returns:
      the best batch found, `batch` itself if none is better. The draws are fixed, so equal input gives equal output.
    """
    size = utility.size
    # The chosen rows first, then those that may replace them, then those that may not be chosen.
    ranks = jnp.where(batch.inside, 2.0, jnp.where(usable, 1.0, 0.0))
    order = _greedy.top(ranks, size)[1]
    num_inside, num_usable = sums(batch.inside.astype(jnp.int32), (ranks > 0).astype(jnp.int32))
    num_chains = min(max(2048 // probs.shape[1], 8), 64)
    chains, slots = jnp.arange(num_chains)[:, None], jnp.arange(size)
    ladder = jnp.asarray(np.geomspace(*HEATS, num_chains), utility.dtype)  # mild chains polish, hot ones roam
    together = jnp.concatenate([utility[:, None], probs], axis=1)

    def draw(step: jax.Array) -> Draws:
        bits = _uniform(SEED + step, (DRAWN, 3, num_chains), utility.dtype)
        leave = (bits[:, 0] * num_inside).astype(jnp.int32)
        enter = num_inside + (bits[:, 1] * (num_usable - num_inside)).astype(jnp.int32)
        return jnp.stack([leave, jnp.minimum(enter, size - 1)], axis=-1), -jnp.log1p(-bits[:, 2])

    def swap(state: Chains, draws: Draws) -> tuple[Chains, None]:
        order, residual, value, best, best_order, heat = state
        places, patience = draws
        pair = order[chains, places]
        change = together[pair[:, 0]] - together[pair[:, 1]]
        moved = residual + change[:, 1:]
        price = change[:, 0] + lam * jnp.sum(jnp.abs(moved) - jnp.abs(residual), axis=-1)
        taken = (price < heat * patience)[:, None]
        left, entered = (taken & (slots == places[:, i : i + 1]) for i in range(2))
        order = jnp.where(left, pair[:, 1:], jnp.where(entered, pair[:, :1], order))
        residual = jnp.where(taken, moved, residual)
        value = jnp.where(taken[:, 0], value + price, value)
        best_order = jnp.where((value < best)[:, None], order, best_order)
        return (order, residual, value, jnp.minimum(value, best), best_order, heat), None

    def going(state: tuple[Chains, jax.Array]) -> jax.Array:
        return (state[-1] < num_steps) & (extremes(state[0][3])[0] > enough)

    def stretch(state: tuple[Chains, jax.Array]) -> tuple[Chains, jax.Array]:
        chain, step = state
        heat = lam * ladder * COOLED ** (step / num_steps)
        chain, _ = jax.lax.scan(swap, (*chain[:5], heat), draw(step))
        return chain, step + DRAWN

    value = jnp.full(num_chains, batch.objective)
    everywhere = jnp.broadcast_to(order, (num_chains, size))
    chain = (everywhere, jnp.broadcast_to(batch.residual, (num_chains, batch.residual.size)), value, value, everywhere)
    possible = (num_inside > 0) & (num_usable > num_inside)
    start = jnp.where(possible, 0, num_steps)
    (_, _, _, best, best_order, _), _ = jax.lax.while_loop(going, stretch, ((*chain, lam * ladder), start))
    winner = jnp.argmin(best)
    inside = jnp.any((best_order[winner][:, None] == slots) & (slots < num_inside)[:, None], axis=0)
    gone = batch.inside.astype(probs.dtype) - inside.astype(probs.dtype)
    found = Batch(inside, batch.residual + dot(gone, probs), best[winner])
    better: Batch = jax.lax.cond(found.objective < batch.objective, lambda: found, lambda: batch)
    return better


def _uniform(step: jax.Array, shape: tuple[int, int, int], dtype: jax.typing.DTypeLike) -> jax.Array:
    """Numbers in [0, 1) that depend on the step and the place alone, by the finaliser of MurmurHash3.

    JAX's own generator takes as long to compile as all the rest of the annealing.
    """
    place = jax.lax.broadcasted_iota(jnp.uint32, shape, 0) + step.astype(jnp.uint32)
    for axis in (1, 2):
        place = place * shape[axis] + jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
    bits = (place ^ (place >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    uniform: jax.Array = ((bits ^ (bits >> 16)) >> 8).astype(dtype) * 2.0**-24
    return uniform
