"""A cycle in one program: queries and updates in one scan, against an oracle that knows all labels."""

from functools import partial
from typing import Any, NamedTuple, cast

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import updates
from alfamous_jax.core import collectives, convert
from alfamous_jax.cycle import _bookkeeping, _factored
from alfamous_jax.cycle._factored import Factors
from alfamous_jax.cycle._query import query
from alfamous_jax.cycle._state import PoolState, init
from alfamous_jax.laplace import Posterior
from alfamous_jax.utilities import Utility

STATIC = "utility budget minibatch update count_cycle implicit axis_name".split()
UNUSED = cast(Posterior, None)  # in the place of a posterior, which a query does not look at


class CycleInfo(NamedTuple):
    """What happened in a cycle, pick by pick."""

    indices: jax.Array  # [b], -1 once the pool ran out
    labels: jax.Array  # [b], -1 likewise
    utility: jax.Array  # [b]
    num_selected: jax.Array  # []
    num_invalid: jax.Array  # []
    drift: jax.Array  # [], of the variances of the rows labelled, see `updates.drift`; past .1 `rounding` mends it


@convert.door
@partial(jax.jit, static_argnames=STATIC)
def run(
    key: jax.Array,
    posterior: Posterior,
    phi: jax.Array,
    labels: jax.Array,
    available: jax.Array,
    counts: jax.Array,
    *,
    utility: str | Utility = "least_confidence",
    lam: jax.Array | float = 0.0,
    budget: int,
    minibatch: int = 1,
    update: bool = True,
    count_cycle: bool = True,
    implicit: bool = False,
    axis_name: str | None = None,
) -> tuple[PoolState, CycleInfo]:
    """A whole cycle against a simulated oracle: `init`, then `acquire`.

    Args:
      key: consumed.
      posterior: last layer of the freshly trained network, mean [K, D], covariance [D, D].
      phi: pool features [N, D].
      labels: the oracle's answers [N].
      available: rows that may be queried [N].
      counts: labels known of each class [K].
      utility, lam, budget, minibatch, update, count_cycle, implicit, axis_name: see `acquire`.

    Returns:
      the state after the last label and what was picked.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> masks = jnp.array([False, True, True]), jnp.array([1, 0])  # which rows may be asked for, labels of each class
      >>> labels = jnp.array([0, 1, 1])
      >>> state, info = cycle.run(jax.random.key(0), posterior, phi, labels, *masks, budget=2)
      >>> info.indices.tolist(), info.labels.tolist(), state.counts.tolist()
      ([1, 2], [1, 1], [1, 2])
    """
    state = init(posterior, phi, available, counts)
    end: tuple[PoolState, CycleInfo] = acquire(
        key, state, phi, labels, utility=utility, lam=lam, budget=budget, minibatch=minibatch, update=update,
        count_cycle=count_cycle, implicit=implicit, axis_name=axis_name,
    )  # fmt: skip
    return end


@convert.door
@partial(jax.jit, static_argnames=STATIC)
def acquire(
    key: jax.Array,
    state: PoolState,
    phi: jax.Array,
    labels: jax.Array,
    *,
    utility: str | Utility = "least_confidence",
    lam: jax.Array | float = 0.0,
    budget: int,
    minibatch: int = 1,
    update: bool = True,
    count_cycle: bool = True,
    implicit: bool = False,
    axis_name: str | None = None,
) -> tuple[PoolState, CycleInfo]:
    """`query` and `update` repeated in one scan until `budget` rows are labelled.

    The covariance stays factored inside, so that a label reads D^2 numbers and writes D. Results equal those of the two
    steps called in turn.

    Args:
      key: consumed; all picks share what is drawn from it.
      state: the pool before the first pick.
      phi: pool features [N, D].
      labels: the oracle's answers [N].
      utility, lam: see `query`.
      budget: b, static.
      minibatch: rows per query, static; divides `budget`.
      update: whether labels move the posterior before the next query, static.
      count_cycle: whether labels of this cycle count for the demand of the next query, as in Algorithm 1, static.
        Without, n_k of Eq. 2 are the labels of the cycles before, as its text has them, and only the share grows.
      implicit: see `updates.gain`; for heads fitted with a small ridge, whose variances are above 1, static.
      axis_name: see `query`. A label by `minibatch` 1 sends D + 5 numbers from every device, whatever N is,
        and the end one for each label.

    Returns:
      the state after the last label and what was picked.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> state, info = cycle.acquire(jax.random.key(0), state, phi, jnp.array([0, 1, 1]), budget=1)
      >>> info.indices.tolist()
      [1]
    """
    if minibatch < 1 or budget < 1 or budget % minibatch:
        raise ValueError(f"budget must be a positive multiple of minibatch, got {budget} and {minibatch}")
    chex.assert_equal_shape_prefix([phi, labels, state.available], 1)
    labels = convert.as_labels(labels)
    base, num_classes = state.posterior.cov, state.counts.shape[0]
    ask = partial(query, utility=utility, lam=lam, num=minibatch, axis_name=axis_name)
    ask = ask if count_cycle else partial(ask, counted=state.counts)

    def step(carry: tuple[PoolState, Factors], slots: jax.Array) -> tuple[tuple[PoolState, Factors], Any]:
        state, factors = carry
        indices, info = ask(state, jax.random.clone(key))
        answers, rows = collectives.take((labels, phi), indices, axis_name)
        answers = jnp.where(indices >= 0, answers, -1)
        usable = _bookkeeping.usable(indices, answers, num_classes)
        rows = jnp.where(usable[:, None], rows.astype(base.dtype), 0.0)
        logits, variance = state.logits, state.variance
        if update:
            given = rows, jnp.where(usable, answers, 0), slots
            factors, gains = jax.lax.scan(lambda f, row: _factored.absorb(base, f, *row, implicit), factors, given)
            logits, variance = updates.refresh(logits, variance, phi, gains)
        changed = _bookkeeping.take_down(state.available, state.counts, indices, answers, axis_name)
        return (PoolState(UNUSED, logits, variance, *changed), factors), (indices, answers, info, rows)

    start = state._replace(posterior=UNUSED), _factored.start(state.posterior, budget)
    (state, factors), taken = jax.lax.scan(step, start, jnp.arange(budget).reshape(-1, minibatch))
    indices, answers, info, rows = taken
    picks = indices.ravel(), answers.ravel(), info.utility.ravel()
    state = state._replace(posterior=_factored.multiply_out(base, factors))
    kept = collectives.take(state.variance, picks[0], axis_name)
    rows = rows.reshape(budget, -1)  # of zeros where nothing was learnt
    drift = updates.drift(state.posterior, rows, jnp.where(jnp.any(rows != 0, axis=1), kept, 0.0))
    return state, CycleInfo(*picks, jnp.sum(info.num_selected), jnp.max(info.num_invalid), drift)
