"""The rows of a file that a cycle may pick."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle
from alfamous_jax.laplace import Posterior
from alfamous_jax.out_of_core._file import CHUNK, PhiOf, check, check_weights, chunks, padded, phi_at, value_of
from alfamous_jax.utilities import Utility


class Kept(NamedTuple):
    """A sub-pool in memory."""

    rows: np.ndarray  # [M], of the pool, rising
    phi: jax.Array  # [M, D]
    num_invalid: int  # available rows of the pool passed over for a NaN or an infinity


class _Best(NamedTuple):
    """The best rows so far, by value and by class; -inf where there are fewer."""

    worth: jax.Array  # [M]
    rows: jax.Array  # [M]
    worth_by_class: jax.Array  # [K, m]
    rows_by_class: jax.Array  # [K, m]
    num_invalid: jax.Array  # []


def sift(
    posterior: Posterior,
    features: np.ndarray,
    available: np.ndarray,
    counts: np.ndarray,
    *,
    size: int,
    utility: str | Utility = "least_confidence",
    lam: float = 0.0,
    chunk: int = CHUNK,
    phi_of: PhiOf = jnp.asarray,
    told: Callable[[int], object] = lambda num_rows: None,
) -> Kept:
    """The rows of a pool that a cycle may pick, in one pass over its file: the best by AL-FaMoUS Eq. 3, and by class.

    The rows are those that would be picked first. With a lam half of them are, and the classes share the other half: of
    each those that would be picked first if it alone were short, as other classes may be once labels come in.

    Args:
      posterior: mean [K, D], covariance [D, D].
      features: [N, H], any array that gives rows for a slice and for numbers, such as a memory-mapped `.npy` file.
      available: rows that may be queried [N].
      counts: labels known of each class [K].
      size: M, of the sub-pool.
      utility: a name or a function (logits [n, K], variance [n], key) -> [n] that looks at each row alone.
      lam: weight of the class balance, at least 0.
      chunk: rows in memory at a time. The next are read while these are scored.
      phi_of: from rows [n, H] to phi [n, D], such as `partial(last_layer.phi_of, maps, head.place)`.
      told: called with the number of rows done, for a progress bar.

    Returns:
      the sub-pool, for `cycle.init(posterior, kept.phi, ones, counts)`; its row i is row `kept.rows[i]` of the file.
      Fewer than M rows where the pool has no more.

    Raises:
      ValueError: arrays that do not fit together, a size or chunk below 1, a negative lam, utility "random", for which
        no row is better than another, or a `phi_of` of another width.

    Examples:
      >>> from alfamous_jax import laplace, out_of_core
      >>> posterior = laplace.fit(jnp.eye(2, 3), jnp.eye(3), jnp.array([True, False, False]))
      >>> pool = np.eye(3, dtype=np.float16)
      >>> kept = out_of_core.sift(posterior, pool, np.array([False, True, True]), np.array([1, 0]), size=1)
      >>> kept.rows.tolist(), kept.phi.shape
      ([2], (1, 3))
    """
    check(features, available, size=size, chunk=chunk)
    check_weights(utility, lam)
    chunk, num_classes, available = min(chunk, len(features)), len(counts), np.asarray(available)
    share = size // (2 * num_classes) if lam > 0 else 0
    best = _Best(
        jnp.full(size, -jnp.inf), jnp.zeros(size, jnp.int32),
        jnp.full((num_classes, share), -jnp.inf), jnp.zeros((num_classes, share), jnp.int32), jnp.zeros((), jnp.int32),
    )  # fmt: skip
    for start, rows in chunks(features, chunk):
        phi = padded(phi_of(rows), chunk, posterior)
        usable = np.zeros(chunk, bool)
        usable[: len(rows)] = available[start : start + len(rows)]
        best = jax.block_until_ready(_sifted(best, posterior, phi, usable, start, counts, lam, utility))
        told(start + len(rows))
    by_worth, by_class = (
        np.asarray(rows)[np.asarray(worth) > -np.inf]
        for worth, rows in ((best.worth, best.rows), (best.worth_by_class, best.rows_by_class))
    )
    first = np.union1d(by_worth[: size - share * num_classes], by_class)
    more = by_worth[~np.isin(by_worth, first)][: size - len(first)]  # in the place of rows that are in both
    found = np.sort(np.concatenate([first, more]))
    return Kept(found, phi_at(features, found, phi_of, chunk, posterior), int(best.num_invalid))


@partial(jax.jit, static_argnames="utility", donate_argnums=0)
def _sifted(
    best: _Best,
    posterior: Posterior,
    phi: jax.Array,
    available: jax.Array,
    start: jax.Array,
    counts: jax.Array,
    lam: jax.Array,
    utility: str | Utility,
) -> _Best:
    """The best rows, those of one more chunk among them."""
    state = cycle.init(posterior, phi.astype(posterior.mean.dtype), available, counts)
    value, worth, probs = value_of(state, lam, utility)
    usable = available & jnp.isfinite(value)
    rows = start + jnp.arange(len(phi), dtype=jnp.int32)
    best_worth, best_rows = _merged(best.worth, best.rows, jnp.where(usable, value, -jnp.inf), rows)
    alone = jnp.where(usable[:, None], worth[:, None] + lam * (2.0 * probs - 1.0), -jnp.inf)  # were one class short
    by_class = best.worth_by_class, best.rows_by_class
    if best.rows_by_class.shape[1]:
        by_class = jax.vmap(_merged, (0, 0, 1, None))(*by_class, alone, rows)
    return _Best(best_worth, best_rows, *by_class, best.num_invalid + jnp.sum(available & ~jnp.isfinite(value)))


def _merged(worth: jax.Array, rows: jax.Array, more: jax.Array, others: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The best of two lists, as many as the first has; ties go to the first, whose rows are lower."""
    worth, places = jax.lax.top_k(jnp.concatenate([worth, more]), len(worth))
    return worth, jnp.concatenate([rows, others])[places]
