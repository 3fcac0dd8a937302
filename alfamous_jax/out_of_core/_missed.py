"""Whether a cycle on a part of a file has picked what it would have picked of the whole."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle, laplace, updates
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior
from alfamous_jax.out_of_core._file import CHUNK, PhiOf, check, check_weights, chunks, padded, phi_at, value_of
from alfamous_jax.updates import Gain
from alfamous_jax.utilities import Utility


class Missed(NamedTuple):
    """What a cycle on a sub-pool did not see."""

    num_picks: int  # picks in whose place a row left out would have been picked
    num_rows: int  # rows left out that beat some pick
    first: int  # which pick is the first of these, b if there is none


def missed(
    posterior: Posterior,
    features: np.ndarray,
    available: np.ndarray,
    counts: np.ndarray,
    kept: np.ndarray,
    picks: np.ndarray,
    labels: np.ndarray,
    *,
    utility: str | Utility = "least_confidence",
    lam: float = 0.0,
    update: bool = True,
    implicit: bool = False,
    chunk: int = CHUNK,
    phi_of: PhiOf = jnp.asarray,
    told: Callable[[int], object] = lambda num_rows: None,
) -> Missed:
    """Whether the picks of a cycle on a sub-pool are those of the whole pool, in one pass over its file.

    Every row left out is followed through the cycle: its logits, variance and value before each label, against the row
    that was picked. Where `num_picks` is 0, the cycle would have picked the same rows of the whole pool.

    Args:
      posterior, features, available, counts, utility, lam, chunk, phi_of, told: as for `sift`, before the cycle.
      kept: the rows of the sub-pool [M].
      picks: rows of the pool in the order picked, one query each [b]; -1 is padding, and ends them.
      labels: their classes [b]; one outside 0..K-1 says that the row was skipped.
      update, implicit: whether each label moved the posterior before the next query, and how, as `cycle.run` was told.

    Returns:
      how many picks are not those of the whole pool, given the picks before them. A row within rounding of a pick may
      count, as a product of matrices may round otherwise for other rows beside it.

    Raises:
      ValueError: as for `sift`; picks and labels of different lengths, or a pick that is not of the sub-pool.

    Examples:
      >>> from alfamous_jax import laplace, out_of_core
      >>> posterior = laplace.fit(jnp.eye(2, 3), jnp.eye(3), jnp.array([True, False, False]))
      >>> pool, available, counts = np.eye(3, dtype=np.float16), np.array([False, True, True]), np.array([1, 0])
      >>> out_of_core.missed(posterior, pool, available, counts, np.array([1]), np.array([1]), np.array([1]))
      Missed(num_picks=1, num_rows=1, first=0)
    """
    check(features, available, chunk=chunk)
    check_weights(utility, lam)
    if np.shape(picks) != np.shape(labels) or np.ndim(picks) != 1:
        raise ValueError(
            f"picks and labels must be [b], one label a pick, got {np.shape(picks)} and {np.shape(labels)}"
        )
    real = np.asarray(picks) >= 0
    picks, labels = np.asarray(picks)[real], np.asarray(labels)[real]
    if not np.isin(picks, kept).all():
        raise ValueError(f"picks must be rows of kept, {picks[~np.isin(picks, kept)][0]} is none")
    if not len(picks):
        return Missed(0, 0, 0)
    chunk, num_classes = min(chunk, len(features)), len(counts)
    phi = phi_at(features, picks, phi_of, len(picks), posterior)
    is_label = (labels >= 0) & (labels < num_classes)
    learnt = jnp.where((is_label & update)[:, None], phi, 0.0)  # a row of zeros changes nothing
    _, gains = updates.update_many(posterior, learnt, jnp.where(is_label, labels, 0), implicit)
    given = (labels[:, None] == np.arange(num_classes)).astype(np.int32)
    known = np.asarray(counts, np.int32) + np.cumsum(given, axis=0) - given  # before each label
    bar = jnp.diagonal(_course(posterior, gains, phi, known, lam, utility))
    left_out = np.array(available, bool)
    left_out[np.asarray(kept)] = False
    beaten, num_rows = np.zeros(len(picks), bool), 0
    for start, rows in chunks(features, chunk):
        usable = np.zeros(chunk, bool)
        usable[: len(rows)] = left_out[start : start + len(rows)]
        phi = padded(phi_of(rows), chunk, posterior)
        better = _better(posterior, gains, phi, usable, start, known, lam, bar, jnp.asarray(picks), utility)
        beaten |= np.asarray(better[0])
        num_rows += int(better[1])
        told(start + len(rows))
    return Missed(int(beaten.sum()), num_rows, int(np.argmax(beaten)) if beaten.any() else len(picks))


@partial(jax.jit, static_argnames="utility")
def _course(
    posterior: Posterior, gains: Gain, phi: jax.Array, known: jax.Array, lam: jax.Array, utility: str | Utility
) -> jax.Array:
    """What rows are worth before each of b labels [b, n]."""
    overlap = laplace.pool_dot(phi, gains.column.T).T

    def step(state: PoolState, one: tuple[jax.Array, Gain, jax.Array]) -> tuple[PoolState, jax.Array]:
        along, gain, counts = one
        value, *_ = value_of(state._replace(counts=counts), lam, utility)
        logits, variance = updates.refresh_along(state.logits, state.variance, along[:, None], gain)
        return state._replace(logits=logits, variance=variance), value

    begin = cycle.init(posterior, phi, jnp.ones(len(phi), bool), known[0])
    return jax.lax.scan(step, begin, (overlap, gains, known))[1]


@partial(jax.jit, static_argnames="utility")
def _better(
    posterior: Posterior,
    gains: Gain,
    phi: jax.Array,
    usable: jax.Array,
    start: jax.Array,
    known: jax.Array,
    lam: jax.Array,
    bar: jax.Array,
    picks: jax.Array,
    utility: str | Utility,
) -> tuple[jax.Array, jax.Array]:
    """Which picks some row of a chunk beats [b], and how many rows beat one."""
    value = _course(posterior, gains, phi.astype(posterior.mean.dtype), known, lam, utility)
    rows = start + jnp.arange(len(phi))
    wins = (value > bar[:, None]) | ((value == bar[:, None]) & (rows < picks[:, None]))
    wins &= usable
    return jnp.any(wins, axis=1), jnp.sum(jnp.any(wins, axis=0))
