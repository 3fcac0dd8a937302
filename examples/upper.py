"""Two strategies that look at the answers of rows they have not asked for: upper lines for those that must not.

README.md beside this file has the command. Neither can label anything in real life.
"""

import jax
import jax.numpy as jnp

from alfamous_jax import laplace, updates

CANDIDATES = 16  # rows that are tried for each pick


def balanced_random(key, view, lam, budget):
    """Rows at random, each of the class that has the fewest labels by then: all that balance alone can give."""
    draws = jnp.where(view.available, jax.random.uniform(key, view.available.shape), jnp.inf)
    order = jnp.lexsort((draws, view.labels))  # by class, the available rows of each in random order
    first = jnp.searchsorted(view.labels[order], view.labels[order])
    place = jnp.zeros_like(order).at[order].set(jnp.arange(len(order)) - first)
    level = jnp.where(view.available, view.counts[view.labels] + place, jnp.iinfo(jnp.int32).max)
    rows = jnp.lexsort((draws, level))[:budget]
    return jnp.where(view.available[rows], rows, -1)


def look_ahead(key, view, lam, budget):
    """Row by row, of some at random the one after whose label (by the fast update) all classes are told best."""
    usable = view.available | view.labelled
    sizes = jnp.zeros(len(view.counts)).at[view.labels].add(usable)
    weight = usable / jnp.maximum(sizes[view.labels], 1)

    def loss(logits, variance):
        probs = laplace.mean_field(logits, variance)
        return -jnp.sum(weight * jnp.log(jnp.take_along_axis(probs, view.labels[:, None], axis=1)[:, 0] + 1e-12))

    def learnt(posterior, logits, variance, row):
        posterior, change = updates.rank_one(posterior, view.phi[row], view.labels[row], implicit=True)
        return posterior, *updates.refresh(logits, variance, view.phi, change)

    def pick(state, key):
        *known, free = state
        draws = jnp.where(free, jax.random.uniform(key, free.shape), -1.0)
        rows = jax.lax.top_k(draws, min(CANDIDATES, len(draws)))[1]
        losses = jax.vmap(lambda row: loss(*learnt(*known, row)[1:]))(rows)
        row = rows[jnp.argmin(jnp.where(free[rows], losses, jnp.inf))]
        after = jax.tree.map(lambda new, old: jnp.where(free[row], new, old), learnt(*known, row), tuple(known))
        return (*after, free.at[row].set(False)), jnp.where(free[row], row, -1)

    start = view.posterior, *laplace.predict(view.posterior, view.phi), view.available
    return jax.lax.scan(pick, start, jax.random.split(key, budget))[1]


balanced_random.reveals = look_ahead.reveals = True
