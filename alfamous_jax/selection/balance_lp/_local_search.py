"""Local search over the rows near the threshold: swap a row of the batch for one outside while that pays."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

HEATS = 0.003, 0.1  # first temperature of the mildest and of the hottest chain, in units of lam
COOLED = 1 / 30  # last temperature over the first
DRAWN = 125  # steps whose random numbers are drawn together
PAYS = 2e-7  # a swap must take more than this off the objective, relative to its terms


class Batch(NamedTuple):
    """Which rows of a window are chosen and what the classes are left short of."""

    inside: jax.Array  # [V]
    residual: jax.Array  # [K], demand less what the whole batch covers
    objective: jax.Array  # [], up to a constant: what the swaps have taken off it


Visit = tuple[Batch, jax.Array | int]  # and how many swaps were made
Sweep = tuple[Batch, jax.Array | int, jax.Array | int]  # and in the last round, and how many rounds
Draws = tuple[jax.Array, jax.Array, jax.Array]  # slots that leave and that enter, patience
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
    by_class = probs.T  # sums over classes run over the leading axis, vectorised over rows
    enough = PAYS * (jnp.max(jnp.abs(utility)) + lam)

    def swap(i: jax.Array, state: Visit) -> Visit:
        batch, count = state
        sign = jnp.where(batch.residual < 0, -1.0, 1.0).astype(utility.dtype)
        change = sign[:, None] * (probs[i][:, None] - by_class)
        moved = jnp.sum(jnp.maximum(change, -change - 2 * jnp.abs(batch.residual)[:, None]), axis=0)
        price = jnp.where(usable & ~batch.inside, utility[i] - utility + lam * moved, jnp.inf)
        j = jnp.argmin(price)
        pays = price[j] < -enough
        swapped = Batch(
            batch.inside.at[i].set(False).at[j].set(True),
            batch.residual + probs[i] - probs[j],
            batch.objective + price[j],
        )
        return jax.tree.map(lambda new, old: jnp.where(pays, new, old), swapped, batch), count + pays

    def visit(i: jax.Array, state: Visit) -> Visit:
        after: Visit = jax.lax.cond(state[0].inside[i], lambda state: swap(i, state), lambda state: state, state)
        return after

    def sweep(state: Sweep) -> Sweep:
        batch, _, rounds = state
        return *jax.lax.fori_loop(0, utility.size, visit, (batch, 0)), rounds + 1

    def going(state: Sweep) -> jax.Array | bool:
        return (state[1] > 0) & (state[2] < 20)

    start: Sweep = (batch, 1, 0)
    return jax.lax.while_loop(going, sweep, start)[0]


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
    size, num_inside = utility.size, jnp.sum(batch.inside)
    # The chosen rows first, then those that may replace them, then those that may not be chosen.
    order = jnp.argsort(jnp.where(batch.inside, 0, jnp.where(usable, 1, 2)), stable=True)
    num_usable = num_inside + jnp.sum(usable & ~batch.inside)
    num_chains = min(max(2048 // probs.shape[1], 8), 64)
    chains = jnp.arange(num_chains)
    ladder = jnp.geomspace(*HEATS, num_chains, dtype=utility.dtype)  # mild chains polish, hot ones roam

    def draw(step: jax.Array) -> Draws:
        bits = jax.random.uniform(jax.random.fold_in(jax.random.key(0), step), (DRAWN, 3, num_chains), utility.dtype)
        leave = (bits[:, 0] * num_inside).astype(jnp.int32)
        enter = num_inside + (bits[:, 1] * (num_usable - num_inside)).astype(jnp.int32)
        return leave, jnp.minimum(enter, size - 1), -jnp.log1p(-bits[:, 2])

    def swap(state: Chains, draws: Draws) -> tuple[Chains, None]:
        order, residual, value, best, best_order, heat = state
        leave, enter, patience = draws
        i, j = order[chains, leave], order[chains, enter]
        moved = residual + probs[i] - probs[j]
        price = utility[i] - utility[j] + lam * jnp.sum(jnp.abs(moved) - jnp.abs(residual), axis=-1)
        taken = price < heat * patience
        order = order.at[chains, leave].set(jnp.where(taken, j, i)).at[chains, enter].set(jnp.where(taken, i, j))
        residual = jnp.where(taken[:, None], moved, residual)
        value = jnp.where(taken, value + price, value)
        better = value < best
        best_order = jnp.where(better[:, None], order, best_order)
        return (order, residual, value, jnp.where(better, value, best), best_order, heat), None

    def going(state: tuple[Chains, jax.Array]) -> jax.Array:
        return (state[-1] < num_steps) & (jnp.min(state[0][3]) > enough)

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
    inside = jnp.zeros(size, bool).at[best_order[winner]].set(jnp.arange(size) < num_inside)
    residual = batch.residual + jnp.sum(jnp.where(batch.inside[:, None], probs, 0.0), axis=0)
    residual -= jnp.sum(jnp.where(inside[:, None], probs, 0.0), axis=0)
    found = Batch(inside, residual, best[winner])
    better: Batch = jax.tree.map(lambda new, old: jnp.where(best[winner] < batch.objective, new, old), found, batch)
    return better
