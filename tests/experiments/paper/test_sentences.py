"""Claims over groups of runs, by hand: which part of a curve, which pairs, which verdict."""

import math

import numpy as np
import pytest
from scipy import stats
from trials import records

from experiments.paper import sentences
from experiments.paper.groups import Group, Place
from experiments.published.claims import Claim
from experiments.report.runs import of_records

CURVE = np.array([0.1, 0.2, 0.4, 0.3, 0.5, 0.6])
CLAIM = Claim("", "vabal", "random", "accuracy", "mean", "+", "ahead")


def run(curves, seeds=(0, 1), step=0.0, counts=None, **config):
    return of_records(records(curves, counts, seeds=seeds, step=step), config=config)


def group(*runs, title="here", settings=("",), published=False):
    return Group(Place(title, frozenset(settings), "", published), runs)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("all", 2.1 / 6),
        ("mean", 2.0 / 5),
        ("first", 0.1),
        ("last", 0.6),
        ("early", 0.3),  # a quarter of five, rounded up: cycles 1 and 2
        ("growth", 0.4),
        ("cycle3", 0.3),
        ("cycle6", math.nan),
    ],
)
def test_parts_of_a_curve(what, expected):
    assert sentences.over(CURVE, what) == pytest.approx(expected, nan_ok=True)


def test_parts_of_short_curves():
    assert math.isnan(sentences.over(CURVE[:1], "mean")) and math.isnan(sentences.over(CURVE[:2], "growth"))
    assert sentences.over(CURVE[:1], "all") == 0.1 and sentences.over(np.array([0.1, np.nan, 0.3]), "mean") == 0.3


def test_pairs_of_several_runs_are_tested_together():
    """Three runs of two seeds: six differences, those of a t-test by its formula."""
    leads = (0.01, 0.03, 0.05)
    runs = [run({"random": [0.5, 0.5], "vabal": [0.5, 0.5 + lead]}, step=0.1) for lead in leads]
    one = Claim("", "vabal", "random", "accuracy", "mean", "-", "behind")
    (test,) = sentences.all_tests([group(*runs)], [one], lambda claim, setting: 1.5)
    each = np.repeat(leads, 2)
    t = each.mean() / (each.std(ddof=1) / math.sqrt(6))
    assert (test.paired.num, test.agree) == (6, 0) and test.paired.mean == pytest.approx(0.03)
    assert test.paired.t_p == pytest.approx(2 * stats.t.sf(t, 5)) == test.holm
    assert math.isnan(test.printed), "the group is none of the paper's"
    assert sentences.verdict(test) == "**the contrary**"
    assert sentences.rows([test])[0][3:6] == ["-", "+3.00 ± 0.73", "0 of 6"]


def test_a_seed_without_its_last_cycle_and_a_strategy_not_run_are_no_pairs():
    found = records({"random": [0.5, 0.6], "vabal": [0.5, 0.7]}, seeds=(0, 1))
    whole = of_records([r for r in found if (r["strategy"], r["seed"], r["cycle"]) != ("vabal", 1, 1)])
    (test,) = sentences.all_tests([group(whole)], [CLAIM], lambda claim, setting: 0.0)
    assert test.paired.num == 1 and math.isnan(test.holm) and sentences.verdict(test).startswith("same sign")
    none = CLAIM._replace(first="kcenter")
    assert sentences.all_tests([group(whole)], [none, CLAIM._replace(setting="rare")], lambda claim, setting: 0.0) == []


def test_the_rare_share_is_of_the_classes_that_are_cut():
    counts = {"random": [[8, 1, 1], [16, 2, 2]], "vabal": [[8, 1, 1], [10, 6, 4]]}
    curves = {"random": [0.5, 0.5], "vabal": [0.5, 0.5]}
    claim = CLAIM._replace(metric="rare_share")
    found = sentences.differences(group(run(curves, counts=counts, minority=[1, 2])), claim)
    np.testing.assert_allclose(found, [0.3, 0.3])
    for minority in ([], "drawn", [3]):
        assert not len(sentences.differences(group(run(curves, counts=counts, minority=minority)), claim))
    ratio = sentences.differences(group(run(curves, counts=counts)), CLAIM._replace(metric="imbalance_ratio"))
    expected = np.std([10, 6, 4]) / np.mean([10, 6, 4]) - np.std([16, 2, 2]) / np.mean([16, 2, 2])
    np.testing.assert_allclose(ratio, [expected] * 2)


def test_verdicts_and_scores():
    """Leads of .1 with a spread, of 0, and of -.1: for, tie, against; alike is told apart or not."""
    names = {"ahead": 0.1, "level": 0.0, "behind": -0.1}
    spread = np.array([-1e-4, 0.0, 1e-4])
    found = [r for s, off in enumerate(spread) for r in records({"random": [0.5, 0.5]}, seeds=(s,))]
    for name, lead in names.items():
        for s, off in enumerate(spread):
            found += records({f"kcenter@{name}": [0.5, 0.5 + lead + off * (lead != 0)]}, seeds=(s,))
    claims = [
        Claim("", f"kcenter@{name}", "random", "accuracy", "mean", sign, name) for name in names for sign in "+-="
    ]
    here, there = group(of_records(found)), group(of_records(found), title="there")
    tests = sentences.all_tests([here], claims, lambda claim, setting: 0.0)
    expected = ["**holds**", "**the contrary**", "**told apart**", "tie", "tie", "not told apart"]
    assert [sentences.verdict(test) for test in tests[:6]] == expected
    assert [sentences.verdict(test) for test in tests[6:]] == ["**the contrary**", "**holds**", "**told apart**"]
    said = sentences.sentence(tests)
    assert said.startswith("Of 6 differences 2 go the way of the claim, 2 are ties and 2 go the other way")
    assert said.endswith("2 are significant for it and 2 against it. Called alike: 3, of which told apart: 2.")
    assert sentences.scorecard(tests) == [], "each was tested once"
    both = sentences.all_tests([here, there], claims[:2], lambda claim, setting: 0.0)
    assert [row[2:] for row in sentences.scorecard(both)] == [["2 of 2", "2 / 0"], ["0 of 2", "0 / 2"]]


def test_a_verdict_goes_by_the_corrected_p():
    """Two claims with a p of .044 each: together neither is significant."""
    leads = (0.1, 0.07, 0.04, 0.01)
    found = [r for s, lead in enumerate(leads) for r in records({"random": [0.5, 0.5]}, seeds=(s,))]
    for s, lead in enumerate(leads):
        found += records({"vabal": [0.5, 0.51 + lead], "kcenter": [0.5, 0.51 + lead]}, seeds=(s,))
    here = group(of_records(found))
    one = sentences.all_tests([here], [CLAIM], lambda claim, setting: 0.0)
    both = sentences.all_tests([here], [CLAIM, CLAIM._replace(first="kcenter")], lambda claim, setting: 0.0)
    p = one[0].paired.t_p
    assert 0.025 < p < 0.05 and [test.holm for test in both] == pytest.approx([2 * p] * 2)
    assert sentences.verdict(one[0]) == "**holds**"
    assert [sentences.verdict(test) for test in both] == ["same sign, not significant"] * 2


def test_printed_differences_stand_in_the_paper_s_settings_alone():
    here = run({"random": [0.5, 0.6], "vabal": [0.5, 0.7]})
    groups = [group(here, title="cifar10 whole", published=True), group(here)]
    tests = sentences.all_tests(groups, [CLAIM], lambda claim, setting: {"cifar10 whole": 1.5}[setting])
    assert [row[3] for row in sentences.rows(tests)] == ["+1.50", "-"]
