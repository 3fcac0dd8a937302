"""What the labels of queried rows change."""

from functools import partial

import jax
import jax.numpy as jnp

from alfamous_jax import updates
from alfamous_jax.core import collectives, convert
from alfamous_jax.cycle import _bookkeeping
from alfamous_jax.cycle._state import PoolState


@convert.door
@partial(jax.jit, static_argnames=("axis_name", "implicit"))
def update(
    state: PoolState,
    phi: jax.Array,
    indices: jax.Array,
    labels: jax.Array,
    axis_name: str | None = None,
    implicit: bool = False,
) -> PoolState:
    """Takes in the labels of queried rows: posterior (Eq. 7), pool logits and variances, class counts.

    Args:
      state: the state the rows were queried from.
      phi: pool features [N, D].
      indices: the rows [n]; -1 is padding. A row that is not in the pool, not available (any more), named before in
        `indices` or not finite changes nothing; `num_invalid` counts them.
      labels: their classes [n], integers of any width; a label outside 0..K-1 says that the row was skipped: it leaves
        the pool and changes nothing else.
      axis_name: see `query`; indices and labels are the same on every device.
      implicit: see `updates.gain`; for heads fitted with a small ridge, whose variances are above 1.

    Returns:
      the state for the next query. `rounding.drift` says whether float32 still holds its covariance.

    Raises:
      ValueError: indices and labels that differ in length, labels that are not whole numbers.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> state = cycle.update(state, phi, jnp.array([1]), jnp.array([1]))
      >>> state.counts.tolist(), state.available.tolist()
      ([1, 1], [False, False, True])
    """
    indices, labels = _asked(indices, labels)
    rows = collectives.take(phi, indices, axis_name).astype(state.posterior.cov.dtype)
    indices = jnp.where(_bookkeeping.known(state.available, indices, rows, axis_name), indices, -1)
    usable = _bookkeeping.usable(indices, labels, state.counts.shape[0])
    rows = jnp.where(usable[:, None], rows, 0.0)
    posterior, gains = updates.update_many(state.posterior, rows, jnp.where(usable, labels, 0), implicit)
    logits, variance = updates.refresh(state.logits, state.variance, phi, gains)
    changed = _bookkeeping.take_down(state.available, state.counts, indices, labels, axis_name)
    return PoolState(posterior, logits, variance, *changed)


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def count(state: PoolState, indices: jax.Array, labels: jax.Array, axis_name: str | None = None) -> PoolState:
    """Takes labels down without learning from them: the rows leave the pool, their classes are counted.

    The step of strategies whose posterior waits for the next training, where those with updates have `update`.

    Args:
      state: the state the rows were queried from.
      indices: the rows [n]; -1 is padding. Each label counts, whether its row was available or not.
      labels, axis_name: see `update`.

    Returns:
      the state for the next query, with the posterior as it was.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> state = cycle.count(state, jnp.array([1]), jnp.array([1]))
      >>> state.counts.tolist(), state.available.tolist()
      ([1, 1], [False, False, True])
    """
    indices, labels = _asked(indices, labels)
    available, counts = _bookkeeping.take_down(state.available, state.counts, indices, labels, axis_name)
    return state._replace(available=available, counts=counts)


def _asked(indices: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both as integers, one label a row."""
    indices, labels = convert.as_labels(indices, "indices"), convert.as_labels(labels)
    if indices.shape != labels.shape or indices.ndim != 1:
        raise ValueError(f"indices and labels must be [n], one label a row, got {indices.shape} and {labels.shape}")
    return indices, labels


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def num_invalid(state: PoolState, phi: jax.Array, indices: jax.Array, axis_name: str | None = None) -> jax.Array:
    """How many rows an `update` of this state would pass over, padding aside: the host's cue to raise.

    Args:
      state, phi, indices, axis_name: see `update`.

    Returns:
      number [].

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> rows = jnp.array([1, 1, 0, 7, -1])  # the second is named before, 0 is not available, 7 not in the pool
      >>> cycle.num_invalid(state, phi, rows).item()
      3
    """
    indices = convert.as_labels(indices, "indices")
    rows = collectives.take(phi, indices, axis_name)
    return jnp.sum((indices != -1) & ~_bookkeeping.known(state.available, indices, rows, axis_name))
