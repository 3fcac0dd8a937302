"""What a paper leaves open and a field decides: the field reaches the picks, and the training."""

import jax
import numpy as np
import oracles
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from experiments.conformance.trial import CONFIG, B, pool
from experiments.learning import methods, schemes
from experiments.plan.strategies import parse


@pytest.mark.slow
@pytest.mark.parametrize("literal", [False, True])
def test_the_demand_of_algorithm_1_and_that_of_the_text(literal):
    """`config.count_cycle` at False keeps the counts of Eq. 2 through a cycle; some pick differs."""
    strategy, view, lam = parse("us-alfamous"), pool(4), 0.4
    method = methods.method_of(strategy)
    settings = method.settings(CONFIG | {"count_cycle": not literal}, strategy, None)
    found = jax.jit(lambda: method.pick(jax.random.key(0), view, lam, settings))().indices
    arrays = *(np.asarray(x, float) for x in view.posterior), view.phi.astype(float)
    rest = view.labels, view.available, view.counts, lam, B
    wanted = [oracles.famous_cycle(*arrays, *rest, count_cycle=count) for count in (True, False)]
    assert min(run[-1] for run in wanted) > 1e-4, "no pick is decided by rounding"
    assert found.tolist() == wanted[literal][0].tolist()
    assert wanted[0][0].tolist() != wanted[1][0].tolist()


def test_the_rate_falls_on_a_plateau_where_the_config_says_so():
    """ICPR 2020: a tenth of the rate after 10 epochs without a lower loss, and a rate that else stays."""
    assert schemes.training(FrozenConfigDict(tiny()))["plateau"] is None
    how = schemes.training(FrozenConfigDict(tiny(plateau=10, decay=0.1, learning_rate=0.01)))
    assert [float(how["schedule"](epoch)) for epoch in (0, 30, 59)] == pytest.approx([0.01] * 3)
    state, scales = how["plateau"].init({}), []
    for loss in (1.0, *[1.0] * 9, 1.0, 0.5):
        _, state = how["plateau"].update((), state, value=loss)
        scales.append(round(float(state.scale), 6))
    assert scales == [1.0] * 10 + [0.1] * 2
