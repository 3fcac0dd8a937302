"""The selector on a pool whose rows are split over eight devices."""

import math

import numpy as np
import oracles
import pytest
from host_devices import output_of
from sharded_selector import LAM, POOLS, problem

pytestmark = pytest.mark.slow

DEVICES, WINDOW = 8, 2048
EPS = np.finfo(np.float32).eps


@pytest.fixture(scope="module")
def records():
    return {(record["family"], tuple(record["shape"])): record for record in output_of("sharded_selector.py", DEVICES)}


def in_loops(record, depth):
    """Kind and bytes of the collectives inside so many nested loops."""
    return [
        (kind, sum(4 * math.prod(int(n) for n in size.split(",") if n) for _, size in shapes))
        for kind, shapes, name in record["collectives"]
        if name.count("while/body") == depth
    ]


pools = pytest.mark.parametrize("shape", POOLS, ids="{0[0]}x{0[1]}_b{0[2]}".format)


@pools
@pytest.mark.parametrize("family", ["A", "B"])
class TestSelection:
    """Against the same pool on one device."""

    def test_bound_and_objective(self, records, family, shape):
        """Up to the rounding that the bound allows for, with multipliers of lam in every class."""
        record = records[family, shape]
        (utility, probs, demand), available = problem(family, *shape)
        score = np.abs(utility[available & np.isfinite(utility)]).max() + LAM * probs.sum(1).max()
        slack = EPS * (LAM * demand.sum() + shape[-1] * score)
        for field in ("bound", "objective"):
            assert abs(record["sharded"][field] - record["alone"][field]) <= slack
        assert record["sharded"]["bound"] <= record["sharded"]["objective"] + slack

    def test_batch(self, records, family, shape):
        """Global rows, distinct and available; the objective is theirs."""
        record, budget = records[family, shape], shape[-1]
        instance, available = problem(family, *shape)
        indices = np.array(record["sharded"]["indices"])
        assert indices.shape == (budget,) and len(set(indices.tolist())) == budget
        assert (indices >= 0).all() and (available & np.isfinite(instance.utility))[indices].all()
        assert record["sharded"]["num_selected"] == budget and record["sharded"]["num_invalid"] == 1
        value = oracles.objective(indices, *(x.astype(float) for x in instance), LAM)
        terms = np.abs(instance.utility[indices]).sum() + LAM * (instance.demand.sum() + budget)
        np.testing.assert_allclose(record["sharded"]["objective"], value, rtol=0, atol=4 * EPS * terms)


@pools
class TestTraffic:
    """What the devices send each other, in bytes."""

    def test_a_window_takes_two_gathers_and_one_reduction(self, records, shape):
        """Scores and rows of the top; then utility, P and validity of the window and totals of the rows above it."""
        rows, classes, budget = shape
        top = min(rows, budget + WINDOW // 2)
        above = max(top - WINDOW, 0)
        gather = DEVICES * min(rows // DEVICES, top) * 4
        reduction = 4 * ((top - above) * (classes + 2) + (classes + 1 if above else 0))
        expected = [("all-gather", gather), ("all-gather", gather), ("all-reduce", reduction)]
        assert sorted(in_loops(records["A", shape], 1)) == expected

    def test_nothing_is_sent_inside_the_newton_steps(self, records, shape):
        names = [name for *_, name in records["A", shape]["collectives"]]
        assert len(names) > 3 and max(name.count("while/body") for name in names) == 1
