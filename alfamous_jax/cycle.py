"""One acquisition cycle of AL-FaMoUS (Algorithm 1): query, label, update the last layer, query again.

`init`, `query` and `update` serve a caller who labels as they go; `run` is the same steps in one scan
for a simulated oracle. The strategies of the paper are settings of `run`:

    baseline (US, BALD)   minibatch = budget, update = False, lam = 0
    class-balanced (CB)   minibatch = budget, update = False, lam > 0
    fast update (FBU)     minibatch = 1,      update = True,  lam = 0
    AL-FaMoUS             minibatch = 1,      update = True,  lam > 0

All of it runs inside `shard_map` too, with the rows of the pool split over the mesh axis `axis_name`, and posterior,
counts, lam and key on every device. Row numbers are those of the whole pool, ties go to the lowest, and every device
ends with the picks of one device. These can differ where two rows are within rounding of each other, as a product of
matrices may round otherwise for a part of the rows; and in a batch with lam > 0, which rests on sums over all rows and
which `select_batch` compares with the greedy one on one device only.
"""

from functools import partial
from typing import Any, NamedTuple, cast

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import _answers, _factored, laplace, updates, utilities
from alfamous_jax._factored import Factors
from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.laplace import Posterior
from alfamous_jax.selection import balance, balance_lp
from alfamous_jax.utilities import Utility

UNUSED = cast(Posterior, None)  # in the place of a posterior, which a query does not look at


class PoolState(NamedTuple):
    """What the next query depends on."""

    posterior: Posterior
    logits: jax.Array  # [N, K]
    variance: jax.Array  # [N]
    available: jax.Array  # [N]
    counts: jax.Array  # [K], every label known


class QueryInfo(NamedTuple):
    """What a caller may want to know of a query."""

    utility: jax.Array  # [num], of the picks, -inf for padding
    num_selected: jax.Array  # [], below `num` if the pool ran out
    num_invalid: jax.Array  # [], available rows passed over for a NaN or an infinity


class CycleInfo(NamedTuple):
    """What happened in a cycle, pick by pick."""

    indices: jax.Array  # [b], -1 once the pool ran out
    labels: jax.Array  # [b], -1 likewise
    utility: jax.Array  # [b]
    num_selected: jax.Array  # []
    num_invalid: jax.Array  # []
    drift: jax.Array  # [], of the variances of the rows labelled, see `updates.drift`; past .1 `rounding` mends it


@convert.door
@jax.jit
def init(posterior: Posterior, phi: jax.Array, available: jax.Array, counts: jax.Array) -> PoolState:
    """Scores the whole pool once, in O(N D^2); every label after that costs O(N D). Row by row: it takes no axis name.

    Args:
      posterior: mean [K, D], covariance [D, D].
      phi: pool features [N, D], float32 or bfloat16, which halves what a label reads; all else stays float32, and
        posterior and pool are those of the features as rounded.
      available: rows that may be queried [N].
      counts: labels known of each class [K].

    Returns:
      the state before the first query.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, jnp.eye(3), jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> [round(x, 4) for x in state.variance.tolist()]
      [0.8, 1.0, 1.0]
    """
    chex.assert_equal_shape_prefix([phi, available], 1)
    chex.assert_shape(counts, (posterior.mean.shape[0],))
    counts = convert.as_counts(counts)
    logits, variance = laplace.predict(posterior, phi)
    return PoolState(posterior, logits, variance, available, counts)


def score(
    state: PoolState, key: jax.Array, utility: str | Utility, axis_name: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """What a `query` with these arguments weighs: the utility of every row [N] and its class probabilities [N, K].

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, jnp.eye(3), jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> utility, probs = cycle.score(state, jax.random.key(0), "least_confidence")
      >>> utility.tolist()
      [0.5, 0.5, 0.5]
    """
    probs = laplace.mean_field(state.logits, state.variance)
    return utilities.evaluate(utility, state.logits, state.variance, key, axis_name), probs


@convert.door
@partial(jax.jit, static_argnames=("utility", "num", "axis_name"))
def query(
    state: PoolState,
    key: jax.Array,
    *,
    utility: str | Utility = "least_confidence",
    lam: jax.Array | float = 0.0,
    num: int = 1,
    counted: jax.Array | None = None,
    axis_name: str | None = None,
) -> tuple[jax.Array, QueryInfo]:
    """The next rows to label: argmin of -z'u + lam ||demand - P'z||_1 over `num` rows (Eq. 3).

    Args:
      state: the pool as it is known now.
      key: for `random` and for functions that draw; the same key for all queries of a cycle means the same draws.
      utility: a name in `utilities.UTILITIES` or a function (logits [N, K], variance [N], key) -> [N].
      lam: weight of the class balance; 0 is pure utility. One that is negative or not finite picks nothing, and every
        available row counts as invalid.
      num: how many rows, static. One is exact, more are chosen by `balance_lp.select_batch`.
      counted: labels of each class that the demand takes for known [K], n_k of Eq. 2; all of the state's if not given.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. A function for `utility` sees
        the rows of its device.

    Returns:
      indices [num], -1 where no row is left, and the info.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, head = jnp.eye(3), jnp.array([[9.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
      >>> posterior = laplace.fit(head, phi, jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> indices, info = cycle.query(state, jax.random.key(0), lam=0.5)
      >>> indices.tolist(), info.num_selected.item()  # row 2 is more likely of the class that is short
      ([2], 1)
    """
    contract.check_pool(state.available.shape[0])
    worth, probs = score(state, key, utility, axis_name)
    worth = jnp.where(jnp.isfinite(state.variance), worth, jnp.nan)  # an infinite one has finite probabilities
    # A single pick aims at equal shares of the labels known (Eq. 2), a batch at those after it (CBAL Eq. 4).
    known = state.counts if counted is None else convert.as_counts(counted)
    chex.assert_equal_shape([known, state.counts])
    demand = balance.class_demand(known, jnp.sum(state.counts) + (num if num > 1 else 0))
    if num == 1:
        indices = balance.select_one(worth, probs, demand, lam, state.available, axis_name=axis_name)[None]
        valid = jnp.isfinite(balance.marginal(worth, probs, demand, lam)) & contract.can_weigh(lam, demand)
        num_invalid = collectives.psum(jnp.sum(state.available & ~valid), axis_name)
    else:
        select = partial(balance_lp.select_batch, budget=num, axis_name=axis_name)
        selection = select(worth, probs, demand, lam, state.available)
        indices, num_invalid = selection.indices, selection.num_invalid
    picked = jnp.where(indices >= 0, collectives.take(worth, indices, axis_name), -jnp.inf)
    return indices, QueryInfo(picked, jnp.sum(indices >= 0), num_invalid)


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def update(
    state: PoolState, phi: jax.Array, indices: jax.Array, labels: jax.Array, axis_name: str | None = None
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
    labels, indices = convert.as_labels(labels), convert.as_labels(indices, "indices")
    if indices.shape != labels.shape or indices.ndim != 1:
        raise ValueError(f"indices and labels must be [n], one label a row, got {indices.shape} and {labels.shape}")
    rows = collectives.take(phi, indices, axis_name).astype(state.posterior.cov.dtype)
    indices = jnp.where(_answers.known(state.available, indices, rows, axis_name), indices, -1)
    usable = _answers.usable(indices, labels, state.counts.shape[0])
    rows = jnp.where(usable[:, None], rows, 0.0)
    posterior, gains = updates.update_many(state.posterior, rows, jnp.where(usable, labels, 0))
    logits, variance = updates.refresh(state.logits, state.variance, phi, gains)
    changed = _answers.take_down(state.available, state.counts, indices, labels, axis_name)
    return PoolState(posterior, logits, variance, *changed)


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
    return jnp.sum((indices != -1) & ~_answers.known(state.available, indices, rows, axis_name))


@convert.door
@partial(jax.jit, static_argnames=("utility", "budget", "minibatch", "update", "count_cycle", "axis_name"))
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
      utility, lam, budget, minibatch, update, count_cycle, axis_name: see `acquire`.

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
        count_cycle=count_cycle, axis_name=axis_name,
    )  # fmt: skip
    return end


@convert.door
@partial(jax.jit, static_argnames=("utility", "budget", "minibatch", "update", "count_cycle", "axis_name"))
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
        usable = _answers.usable(indices, answers, num_classes)
        rows = jnp.where(usable[:, None], rows.astype(base.dtype), 0.0)
        logits, variance = state.logits, state.variance
        if update:
            given = rows, jnp.where(usable, answers, 0), slots
            factors, gains = jax.lax.scan(lambda f, row: _factored.absorb(base, f, *row), factors, given)
            logits, variance = updates.refresh(logits, variance, phi, gains)
        changed = _answers.take_down(state.available, state.counts, indices, answers, axis_name)
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
