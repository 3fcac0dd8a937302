"""kcenter@robust in the driver: integer programmes on the host in the middle of a compiled query."""

import jax
import numpy as np
import pytest
from tiny_letter import tiny

from alfamous_jax import diversity
from experiments.conformance.trial import CONFIG, B, pool
from experiments.learning import methods
from experiments.learning.check import check
from experiments.plan.strategies import parse
from experiments.run import run


@pytest.mark.slow
def test_the_picks_are_those_of_the_library():
    strategy, views = parse("kcenter@robust"), [pool(seed) for seed in range(2)]
    method = methods.method_of(strategy)
    settings = method.settings(CONFIG, strategy, None)
    both = jax.tree.map(lambda *x: np.stack(x), *views)
    picks = jax.jit(jax.vmap(lambda view: method.pick(jax.random.key(0), view, 0.0, settings)))(both)
    for view, found in zip(views, np.asarray(picks.indices), strict=True):
        arrays = view.features, view.labelled, view.available
        wanted = diversity.k_center_robust(*arrays, budget=B, outliers=1e-4)
        assert found.tolist() == wanted.indices.tolist()
        greedy = diversity.k_center(*arrays, budget=B)
        assert wanted.objective <= greedy.objective + 1e-6


@pytest.mark.slow
def test_a_run(tmp_path):
    records = run(tiny(strategies=("kcenter@robust",), pool_subset=60, cycles=1, seeds=1), tmp_path / "run")
    assert len(records) == 2 and len(set(records[0]["selected"])) == 4


@pytest.mark.parametrize(
    ("strategy", "changes", "message"),
    [
        ("kcenter@robust", {}, "config.pool_subset: 'kcenter@robust' solves integer programmes of 1 to 8,192 rows"),
        ("kcenter-cb@robust", {"pool_subset": 60}, "'kcenter-cb@robust': after @ comes robust, for the plain form"),
        ("kcenter@greedy", {"pool_subset": 60}, "'kcenter@greedy': after @ comes robust"),
    ],
)
def test_refused(strategy, changes, message):
    with pytest.raises(ValueError, match=message):
        check(tiny(strategies=(strategy,), **changes))
