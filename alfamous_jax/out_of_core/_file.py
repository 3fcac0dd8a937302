"""Rows of a file a chunk at a time, and what both passes ask of each row."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle, utilities
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior
from alfamous_jax.selection import balance
from alfamous_jax.utilities import Utility

CHUNK = 65_536  # rows in memory at a time
PhiOf = Callable[[np.ndarray], jax.Array]


def chunks(features: np.ndarray, chunk: int) -> Iterator[tuple[int, np.ndarray]]:
    """Where each chunk starts, and its rows; the next one is read meanwhile."""
    starts = range(0, len(features), chunk)
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(np.array, features[:chunk])
        for start in starts:
            rows = waiting.result()
            if start + chunk < len(features):
                waiting = reader.submit(np.array, features[start + chunk : start + 2 * chunk])
            yield start, rows


def padded(phi: jax.Array, chunk: int, posterior: Posterior) -> jax.Array:
    """A chunk of full size, whose last rows are zeros."""
    width = posterior.cov.shape[0]
    if phi.ndim != 2 or phi.shape[1] != width:
        raise ValueError(f"phi must be [n, {width}], as the posterior has it, got {list(phi.shape)}")
    return jnp.pad(phi, ((0, chunk - len(phi)), (0, 0))) if len(phi) < chunk else phi


def phi_at(features: np.ndarray, rows: np.ndarray, phi_of: PhiOf, chunk: int, posterior: Posterior) -> jax.Array:
    """phi of some rows of the file [n, D], in the type of the posterior."""
    parts = [jnp.zeros((0, len(posterior.cov)), posterior.mean.dtype)]
    for start in range(0, len(rows), chunk):
        parts.append(phi_of(np.asarray(features[rows[start : start + chunk]])).astype(parts[0].dtype))
    return jnp.concatenate(parts)


def value_of(
    state: PoolState, lam: jax.Array | float, utility: str | Utility
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What `cycle.query` ranks rows by when it picks one [n], their utility [n] and probabilities [n, K]."""
    worth, probs = cycle.score(state, jax.random.key(0), utility)
    demand = balance.class_demand(state.counts, jnp.sum(state.counts))
    return balance.marginal(worth, probs, demand, lam), worth, probs


def check(features: np.ndarray, available: np.ndarray, **numbers: int) -> None:
    """Refuses arrays that do not fit together, an empty pool, and numbers below 1."""
    if features.ndim != 2 or np.shape(available) != (len(features),) or not len(features):
        got = f"{list(features.shape)} and {list(np.shape(available))}"
        raise ValueError(f"features and available must be [N, H] and [N], got {got}")
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def check_weights(utility: str | Utility, lam: float) -> None:
    """Refuses a utility by which no row can be left out, and a weight that is none."""
    utilities.named(utility)
    if utility == "random":
        raise ValueError("utility 'random' ranks no row before another: draw the sub-pool at random instead")
    if not 0 <= lam < np.inf:
        raise ValueError(f"lam must be at least 0 and finite, got {lam}")
