"""Ranks, corrected tests and critical distances, by hand and by the tables of those who published them."""

import numpy as np
import pytest
from records_by_hand import make_records

from experiments.benchmark import figures, ranking, scores
from experiments.report.runs import of_records


def test_ranks_share_ties_and_one_is_the_best():
    np.testing.assert_array_equal(ranking.ranks(np.array([[0.9, 0.5, 0.9, 0.1]])), [[1.5, 3, 1.5, 4]])


def test_holm_by_hand():
    """Sorted .01 .02 .03 .04 times 4 3 2 1, never below the one before; more than 1 is 1."""
    np.testing.assert_allclose(ranking.holm([0.04, 0.01, np.nan, 0.03, 0.02]), [0.06, 0.04, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(ranking.holm([0.6, 0.7]), [1.0, 1.0])
    assert ranking.holm([]).size == 0


@pytest.mark.parametrize(("num", "quantile"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_critical_distances_are_those_of_the_published_table(num, quantile):
    """Demsar (2006), Table 5(a): q at .05."""
    assert ranking.critical_distance(num, 14) == pytest.approx(quantile * np.sqrt(num * (num + 1) / 84), rel=1e-3)


def test_friedman_of_a_constant_order_and_of_too_little():
    assert ranking.friedman(np.tile([0.1, 0.2, 0.3], (6, 1)) + 0.01) == pytest.approx(np.exp(-6), rel=1e-6)
    assert np.isnan(ranking.friedman(np.ones((1, 3)))) and np.isnan(ranking.friedman(np.ones((4, 2))))


def pool(**f1):
    """A run of records: strategy -> macro F1 of each seed, the same at the two cycles after the first."""
    return of_records(make_records({name: {s: (0.1, x, x) for s, x in enumerate(own)} for name, own in f1.items()}))


def test_a_win_needs_more_than_a_higher_mean():
    clear = pool(a=(0.50, 0.51, 0.52, 0.53), b=(0.30, 0.32, 0.31, 0.34), c=(0.29, 0.33, 0.30, 0.35))
    close = pool(a=(0.50, 0.40, 0.52, 0.43), b=(0.30, 0.62, 0.31, 0.64), c=(0.29, 0.33, 0.30, 0.35))
    won = ranking.wins([clear, close], ["a", "b", "c"])
    assert won.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]  # a over c in the second: p .037, three times that


def test_groups_that_a_bar_joins():
    assert figures.joined(np.array([1.0, 1.5, 2.6, 5.0]), 1.3) == [(0, 1), (1, 2)]
    assert figures.joined(np.array([1.0, 3.0]), 1.3) == []
    assert figures.joined(np.array([1.0, 1.1, 1.2]), 1.3) == [(0, 2)]


def test_the_diagram_names_all_with_their_ranks(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    figures.rank_diagram(np.array([2.5, 1.25, 2.25]), ["us", "margin", "random"], 4, tmp_path / "ranks.png")
    (axis,) = drawn[0].axes
    said = {text.get_text().strip() for text in axis.texts}
    assert {"margin  1.2", "random  2.2", "2.5  us", "critical distance 1.66", "1", "2", "3"} == said


def test_numbers_of_a_table_by_hand():
    run = pool(us=(0.2, 0.4), random=(0.1, 0.1))
    np.testing.assert_allclose(scores.means([run], ["us", "random", "bald"]), [[0.3, 0.1, np.nan]])
    assert scores.last(run, "us", "macro_f1")[::2] == (pytest.approx(0.3), 2)
    assert scores.labels_to_share(run, "us", {}) is None
    assert scores.labels_to_share(run, "us", {"macro_f1": 0.22}).mean == run.lanes["us"].metrics["num_labelled"][0, 1]
    timings = [{"strategy": "us", "cycle": c, "query_s": s} for c, s in ((0, 9.0), (1, 1.0), (2, 2.0), (3, 6.0))]
    assert scores.seconds(run._replace(timings=timings), "us", "query") == 2.0
    assert np.isnan(scores.seconds(run, "us", "query"))
