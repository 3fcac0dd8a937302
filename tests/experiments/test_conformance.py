"""Every strategy of the library, and the examples of one's own, through the checks that users have for theirs."""

import pathlib
import sys

import pytest

from experiments import conformance
from experiments.conformance.checks import CHECKS
from experiments.conformance.trial import CONFIG, trial_of
from experiments.learning import methods
from experiments.plan.strategies import parse

pytestmark = pytest.mark.slow

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
BATCHES = ("random", "us", "margin", "entropy", "bald", "bald-mc", "vaal", "vabal")  # by linear programming
LIKE_US = ("margin", "entropy")  # but for a line of arithmetic
SLOW = ("vmap_equals_a_loop", "float64_picks_the_same", "jit_equals_eager")
SAME = (*SLOW, "keys_are_used_once")  # what a program that is the same need not show again
OFTEN = ("us-cb", "us-alfamous", "kcenter-cb", "badge")  # tried in all of SLOW by `make test` too


def compiled(name):
    """What a program is made of: strategies that are alike in it differ in lam."""
    strategy = parse(name)
    method = methods.method_of(strategy)
    return method.pick, method.settings(CONFIG, strategy, None), method.needs


def left_out(name, check):
    """Why a check is not tried here, if it is not: compiling costs 10 to 100 s, and others stand for it."""
    strategy = parse(name)
    if strategy.base in BATCHES and not strategy.updates:
        if check == "jit_equals_eager":
            return "balance_lp is compared with HiGHS in its own tests"
        if check in SLOW and name != "us-cb":
            return "us-cb is tried: they differ in their utility alone"
    if check in SAME and strategy.base in LIKE_US:
        return "us is tried: they differ in their utility alone"
    alike = [other for other in methods.names() if compiled(other) == compiled(name)]
    if check in SAME and name != alike[-1]:
        return f"{alike[-1]} is tried: its program is the same"
    if check == "jit_equals_eager" and strategy.base in ("probcover", "typiclust", "dropquery", "flqmi", "batchbald"):
        return "it takes long without jit; it is compared with loops in its own tests"
    if check == "jit_equals_eager" and strategy.base == "bald":
        return "us is tried: they differ in their utility alone"
    if check == "jit_equals_eager":
        pick = methods.method_of(strategy).pick
        alike = [other for other in methods.names() if methods.method_of(parse(other)).pick is pick]
        alike = [other for other in alike if parse(other).base not in (*LIKE_US, "bald")]
        if name != [other for other in alike if parse(other).updates == strategy.updates][-1]:
            return "another strategy of the method is tried"
    return None


def cases():
    for name in methods.names():
        for check in CHECKS:
            seldom = check.__name__ in SLOW and name not in OFTEN
            marks = [pytest.mark.exhaustive] if seldom else []
            yield pytest.param(name, check, id=f"{name}-{check.__name__}", marks=marks)


@pytest.mark.parametrize(("name", "check"), list(cases()))
def test_strategy(name, check):
    if reason := left_out(name, check.__name__) or check(trial_of(name)):
        pytest.skip(reason)


@pytest.fixture
def examples_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in ("mine", "broken"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["mine:select", "mine:doubt-fbu"])
def test_strategies_of_ones_own(examples_on_the_path, name):
    said = []
    assert conformance.check_strategy(name, said.append), said
    assert len(said) == len(CHECKS)


BROKEN = """
import jax.numpy as jnp

def twice(key, view, lam, budget):
    return jnp.full(budget, jnp.argmax(view.available))

def anything(key, view, lam, budget):
    return jnp.arange(budget)

def peeks(key, view, lam, budget):
    return jnp.argsort(jnp.where(view.available, view.labels, 9))[:budget]
"""


@pytest.mark.parametrize(
    ("function", "failed"),
    [
        ("twice", "different available rows: FAILED: AssertionError: a row was picked twice"),
        ("anything", "different available rows: FAILED: AssertionError: a row was picked that is not available"),
        ("peeks", "fewer rows than the budget: FAILED: AssertionError: num_selected"),
    ],
)
def test_what_is_wrong_is_found_and_said(examples_on_the_path, tmp_path, monkeypatch, function, failed):
    (tmp_path / "broken.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    said = []
    assert not conformance.check_strategy(f"broken:{function}", said.append)
    assert any(failed in line for line in said), said
