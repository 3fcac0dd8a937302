"""What every strategy must do: a function each, AssertionError where it fails, a reason where it does not apply."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.conformance.trial import (
    KEY,
    B,
    HostView,
    K,
    N,
    Trial,
    expect_picks,
    function_of,
    lam_of,
    moved,
    only,
    pick,
    pool,
    program,
    spoilt,
)

Check = Callable[[Trial], str | None]


def same(found: Any, wanted: Any, what: str) -> None:
    """Two batches are one."""
    assert np.array_equal(found, wanted), f"{what}: {np.asarray(found).tolist()} for {np.asarray(wanted).tolist()}"


def different_available_rows(trial: Trial) -> None:
    """On four pools."""
    for seed in range(4):
        picks = pick(trial, pool(seed))
        expect_picks(picks, pool(seed))
        assert picks.num_invalid == 0, f"num_invalid is {picks.num_invalid} on a pool without a NaN"


def fewer_rows_than_the_budget(trial: Trial) -> None:
    """None, one, four."""
    for left in (0, 1, 4):
        view = pool(1)
        view = only(view, np.isin(np.arange(N), np.flatnonzero(view.available)[:left]))
        expect_picks(pick(trial, view), view, num=left)


def only_available_rows_decide(trial: Trial) -> None:
    """What a row that is neither available nor labelled holds changes nothing."""
    view = pool(2)
    other = spoilt(view, ~view.available & ~view.labelled, 1.0, add=True)
    same(pick(trial, other).indices, pick(trial, view).indices, "other numbers in rows that are not shown")


def labels_not_asked_for_decide_nothing(trial: Trial) -> str | None:
    """But for strategies that are told a label before the next pick."""
    if trial.method.reveals(trial.strategy):
        return "it is told a label before the next pick"
    view = pool(2)
    other = view._replace(labels=np.where(view.labelled, view.labels, (view.labels + 1) % K))
    same(pick(trial, other).indices, pick(trial, view).indices, "other labels of rows that have none yet")
    return None


def rows_that_are_not_finite_are_passed_over(trial: Trial) -> None:
    """A NaN, an infinity."""
    for bad in (np.nan, np.inf):
        view = pool(3)
        rows = np.flatnonzero(view.available)[[0, 7]]
        picks, clean = pick(trial, spoilt(view, rows, bad)), only(view, ~np.isin(np.arange(N), rows))
        if trial.strategy.base == "random":  # it looks at nothing
            expect_picks(picks, view)
            continue
        expect_picks(picks, clean)
        assert picks.num_invalid == 2, f"num_invalid is {picks.num_invalid}, two rows have a {bad}"
        same(picks.indices, pick(trial, clean).indices, f"rows with a {bad} are not just passed over")


def classes_without_labels(trial: Trial) -> None:
    """One class has all, none has any."""
    for counts in ([12, 0, 0], [0, 0, 0]):
        expect_picks(pick(trial, pool(4)._replace(counts=np.array(counts))), pool(4))


def unlabelled(view: HostView) -> HostView:
    """The pool before its first label."""
    return view._replace(labelled=np.zeros(N, bool), counts=np.zeros(K, int))


def nothing_labelled(trial: Trial) -> None:
    """The first query of all."""
    expect_picks(pick(trial, unlabelled(pool(4))), pool(4))


def rows_four_times(trial: Trial) -> None:
    """Every row."""
    view = moved(pool(5), np.repeat(np.arange(N // 4), 4))
    view = view._replace(available=~view.labelled)
    expect_picks(pick(trial, view), view)


def rows_that_are_all_the_same(trial: Trial) -> None:
    """Ties go to the lowest index."""
    view = pool(6)
    alike = moved(view, np.zeros(N, int))._replace(available=view.available, labelled=view.labelled)
    picks = pick(trial, alike)
    expect_picks(picks, alike)
    if trial.draws != "rows":
        same(picks.indices, np.flatnonzero(view.available)[:B], "ties go to the lowest index")


def permuting_the_pool_permutes_the_picks(trial: Trial) -> str | None:
    """Row for row, or in distribution where noise belongs to a place in the pool."""
    if trial.draws == "training":
        return "it trains on other rows where they change places"
    view, order = pool(7), np.random.default_rng(0).permutation(N)
    if trial.draws == "rows":
        shares = [_shares(trial, view), _shares(trial, moved(view, order))[np.argsort(order)]]
        far = np.abs(shares[0] - shares[1]).max()
        assert far < 5 * np.sqrt(0.5 / 1000), f"a row's share of 1,000 batches moves by {far:.3f} with its place"
    else:
        same(order[pick(trial, moved(view, order)).indices], pick(trial, view).indices, "the pool in another order")
    return None


def a_key_settles_the_picks(trial: Trial) -> None:
    """The same for the same key, others for others if it draws at all: some only where no label shows the way."""
    differs = False
    for view in (pool(8), unlabelled(pool(8))):
        picks = [pick(trial, view, seed, lam=0.01).indices for seed in (0, 0, 1, 2, 3)]
        same(picks[1], picks[0], "the same key twice")
        differs |= any((picks[0] != other).any() for other in picks[2:])
    assert differs == bool(trial.draws), "picks follow the key" if differs else "picks do not follow the key"


def keys_are_used_once(trial: Trial) -> None:
    """JAX's own check."""
    with jax.debug_key_reuse(True):
        jax.jit(function_of(trial.strategy)).trace(jax.random.key(3), pool(9), 0.3)


def one_compilation_for_all_pools(trial: Trial) -> None:
    """Shapes do not depend on what is in a pool."""
    pick(trial, pool(0))
    compiled = program(trial.strategy.program(""))
    before = compiled._cache_size()
    for seed in range(1, 4):
        pick(trial, pool(seed), seed, lam=0.1 * seed)
    assert compiled._cache_size() == before, "it is compiled again for another pool, key or lam"


def jit_equals_eager(trial: Trial) -> None:
    """Two rows."""
    function, view = function_of(trial.strategy, budget=2), jax.tree.map(jnp.asarray, pool(10))
    traced = jax.jit(function)(KEY, view, lam_of(trial))
    with jax.disable_jit():
        same(function(KEY, view, lam_of(trial)).indices, traced.indices, "without jit")


def vmap_equals_a_loop(trial: Trial) -> None:
    """Three pools, each with its own lam."""
    views, keys = [pool(seed) for seed in range(3)], jax.random.split(KEY, 3)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *views)
    lams = np.array([lam_of(trial, lam) for lam in (0.0, 0.2, 0.5)], np.float32)
    alone = program(trial.strategy.program(""))
    together = program(trial.strategy.program(""), jax.vmap)(keys, stacked, lams)
    for i, view in enumerate(views):
        same(together.indices[i], alone(keys[i], view, lams[i]).indices, "under vmap")


def float64_picks_the_same(trial: Trial) -> str | None:
    """The order in a batch by linear programming may differ."""
    if trial.draws:
        return "it draws other numbers in float64"
    single = pick(trial, pool(12))
    with jax.enable_x64(True):
        double = program(trial.strategy.program(""), _as_it_is)(KEY, pool(12, np.float64), lam_of(trial))
    same(np.sort(double.indices), np.sort(single.indices), "in float64")
    return None


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """For a program apart from that of single precision."""
    return function


def _shares(trial: Trial, view: HostView) -> np.ndarray:
    """How often each row is picked, over 1,000 keys."""
    keys = jax.random.split(jax.random.key(11), 1000)
    picks = jax.vmap(lambda key: program(trial.strategy.program(""))(key, view, 0.0).indices)(keys)
    return np.bincount(np.asarray(picks).ravel(), minlength=N) / 1000


CHECKS: tuple[Check, ...] = (
    different_available_rows,
    fewer_rows_than_the_budget,
    only_available_rows_decide,
    labels_not_asked_for_decide_nothing,
    rows_that_are_not_finite_are_passed_over,
    classes_without_labels,
    nothing_labelled,
    rows_four_times,
    rows_that_are_all_the_same,
    permuting_the_pool_permutes_the_picks,
    a_key_settles_the_picks,
    keys_are_used_once,
    one_compilation_for_all_pools,
    jit_equals_eager,
    vmap_equals_a_loop,
    float64_picks_the_same,
)
