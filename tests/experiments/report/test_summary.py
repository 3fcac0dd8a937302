"""Statistics of a run, on records small enough to average by hand."""

import math

import numpy as np
import pytest
from records_by_hand import F1, make_records
from scipy import stats

from experiments.report import summary
from experiments.report.missing import gaps
from experiments.report.runs import of_records


def run_of(f1=F1):
    return of_records(make_records(f1))


def test_strategies_come_in_the_order_of_the_paper():
    names = ["dmcs-rand", "bald-cb", "us-alfamous", "entropy-cb", "us", "random", "us-cb"]
    run = run_of({name: {0: (0.1, 0.2)} for name in names})
    assert list(run.lanes) == ["random", "us", "us-cb", "us-alfamous", "bald-cb", "dmcs-rand", "entropy-cb"]


def test_mean_and_standard_error_by_hand():
    run = run_of()
    np.testing.assert_allclose(list(summary.seed_means(run, "us", "macro_f1").values()), [0.3, 0.5, 0.4])
    mean, se, num = summary.mean_over_seeds(run, "us", "macro_f1")
    # deviations -.1 .1 0: variance .02 / 2, standard error .1 / sqrt(3)
    assert (mean, se, num) == (pytest.approx(0.4), pytest.approx(0.1 / math.sqrt(3)), 3)
    assert summary.mean_over_seeds(run, "us", "accuracy").mean == pytest.approx(0.45)
    assert summary.mean_over_seeds(run, "us", "ed_diversity") == (12.0, 0.0, 3)


def test_one_seed_has_no_standard_error():
    mean, se, num = summary.mean_over_seeds(run_of({"us": {4: (0.2, 0.4)}}), "us", "macro_f1")
    assert mean == pytest.approx(0.4) and math.isnan(se) and num == 1


def test_scores_leave_the_start_out_and_batches_do_not():
    records = make_records({"us": {0: (0.1, 0.3, 0.5)}})
    records[0]["ed_diversity"] = 6.0
    run = of_records(records)
    assert summary.seed_means(run, "us", "macro_f1") == {0: pytest.approx(0.4)}
    assert summary.seed_means(run, "us", "macro_f1", first_cycle=0) == {0: pytest.approx(0.3)}
    assert summary.seed_means(run, "us", "ed_diversity") == {0: pytest.approx(9.0)}
    only_start = run_of({"us": {0: (0.1,)}})
    assert summary.seed_means(only_start, "us", "macro_f1") == {0: pytest.approx(0.1)}


def test_nulls_and_nans_are_left_out():
    records = make_records({"us": {0: (0.2, 0.3, 0.4), 1: (0.2, 0.3, 0.4)}})
    records[0]["cbi"], records[1]["cbi"], records[3]["cbi"] = None, math.nan, math.inf
    assert list(summary.seed_means(of_records(records), "us", "cbi").values()) == pytest.approx([2.4, 2.35])
    for record in records:
        record["cbi"] = None
    assert math.isnan(summary.mean_over_seeds(of_records(records), "us", "cbi").mean)


def test_paired_comparison_by_hand():
    found = summary.compare(run_of(), "us-alfamous", "us", "macro_f1")
    # differences .2 .1 .4: squared deviations from 7/30 sum to 42/900, variance 21/900
    assert found.mean == pytest.approx(7 / 30)
    assert found.se == pytest.approx(math.sqrt(7 / 900))
    assert (found.num, found.wins) == (3, 3)
    t = found.mean / found.se
    assert found.t_p == pytest.approx(1 - t / math.sqrt(2 + t**2))  # Student's t with 2 degrees of freedom
    assert found.wilcoxon_p == pytest.approx(0.25)  # 2 of the 8 sign patterns
    assert found.t_p == pytest.approx(stats.ttest_rel([0.5, 0.6, 0.8], [0.3, 0.5, 0.4]).pvalue)


def test_paired_comparison_takes_the_common_seeds():
    found = summary.compare(run_of(), "us", "random", "macro_f1")
    assert (found.num, found.wins, found.mean) == (2, 2, pytest.approx(0.1))
    assert math.isnan(found.t_p)  # both differences are .1: no spread to test against
    assert summary.compare(run_of({"us": {0: (0.1,)}, "bald": {1: (0.1,)}}), "us", "bald", "macro_f1").num == 0


def test_labels_to_level_by_hand():
    run = run_of()
    # us reaches .3 at labels 30, 10, 10
    assert summary.labels_to_level(run, "us", 0.3) == (pytest.approx(50 / 3), pytest.approx(20 / 3), 3, 3)
    mean, _, num, reached = summary.labels_to_level(run, "us", 0.5)
    assert math.isnan(mean) and (num, reached) == (3, 1)
    assert summary.levels_in_range(run) == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert summary.levels_in_range(run_of({"us": {0: (0.45, 0.65)}})) == [0.5, 0.6]


def test_seeds_without_every_cycle_count_in_no_mean():
    run = run_of({"us": {0: (0.2, 0.3, 0.4), 1: (0.9, 0.9)}, "bald": {0: (0.9,)}})
    assert summary.seed_means(run, "us", "macro_f1") == {0: pytest.approx(0.35)}
    assert summary.mean_over_seeds(run, "bald", "macro_f1").num == 0
    lines = gaps(run, ["us", "us-cb", "bald"], range(3), 2)
    assert lines == [
        "us-cb: not run",
        "us, seeds 1: without cycles 2",
        "us, seeds 2: without cycles 0-2",
        "bald, seeds 0: without cycles 1-2",
        "bald, seeds 1-2: without cycles 0-2",
    ]
