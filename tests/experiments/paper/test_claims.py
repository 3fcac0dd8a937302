"""The claims of the paper on runs small enough to test by hand."""

import math

import numpy as np
import pytest
from paper_runs_by_hand import P_LARGE, write, write_results

from experiments.paper import claims
from experiments.paper.runs import find_runs


@pytest.fixture
def results(tmp_path):
    return write_results(tmp_path / "results")


def load(results):
    runs = find_runs([results])
    return runs, claims.all_tests(runs)


def ordering(rows, name):
    return next(row[1:] for row in rows if row[0] == name)


def test_holm_by_hand():
    # times 3, 2, 1 in the order of the p-values, and never less than the one before
    np.testing.assert_allclose(claims.holm([0.01, 0.04, math.nan, 0.03]), [0.03, 0.06, math.nan, 0.06])
    np.testing.assert_allclose(claims.holm([0.6, 0.5]), [1.0, 1.0])
    assert claims.holm([]) == []


def test_every_comparison_is_corrected_once(results):
    _, tests = load(results)
    # LETTER us: 12 orderings and fbu against cb; ECG5000 bald: alfamous against bald in CBI, F1 and diversity
    assert len(tests) == 12 + 1 + 3
    lead = tests["letter", "us-alfamous", "us", "macro_f1"]
    assert lead.paired.t_p == pytest.approx(P_LARGE, rel=1e-6) and lead.published == pytest.approx(0.097)
    # the four of diversity have no spread to test against; no p is smaller than this one
    assert sum(math.isnan(test.holm) for test in tests.values()) == 4 and lead.holm == pytest.approx(12 * P_LARGE)


def test_scorecard_counts(results):
    runs, tests = load(results)
    rows = claims.ordering_rows(runs, tests)
    assert len(rows) == len(claims.ORDERINGS)
    paper_all, those, here, plain, corrected, losses = ordering(rows, "macro F1: FBU ≥ baseline")
    assert (paper_all, those, here, plain, corrected) == ("11 of 14", "1 of 1", "0 of 1", "0 / 1", "0 / 1")
    assert losses == "LETTER us -20.0 (p < 0.001)"
    assert ordering(rows, "macro F1: CB ≥ baseline")[:5] == ["10 of 14", "1 of 1", "1 of 1 (1 tie)", "0 / 0", "0 / 0"]
    lead = ordering(rows, "macro F1: AL-FaMoUS ≥ baseline")
    # ECG5000 differs by -.1 and 0: mean -.05, t = -1 with one degree of freedom, p = .5
    assert lead == ["14 of 14", "2 of 2", "1 of 2", "1 / 0", "1 / 0", "ECG5000† bald -5.0 (p 0.500)"]
    assert ordering(rows, "Euclidean: AL-FaMoUS ≥ baseline")[2] == "2 of 2 (2 ties)"
    # worse: fbu - us in F1, ECG5000 in F1 and CBI; ties: cb - us in both and all four in diversity
    sentence = claims.ordering_sentence(tests)
    assert sentence.startswith("Of 15 differences 6 go the way of the ordering, 6 are ties and 3 go the other way")
    # for: alfamous against us and fbu in both metrics
    assert sentence.endswith("4 are significant for it and 1 against it, 10 are open.")


def test_losses_of_the_paper_are_told(tmp_path):
    write(tmp_path / "mnist", {"us": {0: (0.1, 0.4)}, "us-cb": {0: (0.1, 0.3)}}, "mnist")
    rows = claims.ordering_rows(*load(tmp_path))
    losses = ordering(rows, "macro F1: CB ≥ baseline")[-1]
    assert losses == "MNIST us -10.0 (no p, the paper's too)"
    assert ordering(rows, "CBI: CB ≥ baseline")[-1] == "MNIST us -0.10 (no p)"


def test_claims_of_the_text(results):
    runs, tests = load(results)
    rows = {row[2]: row[3:] for row in claims.claim_rows(runs, tests)}
    lead = rows["us-alfamous vs us, macro F1"]
    assert lead[:4] == ["+9.7", "+9.7", "+20.0 ± 0.6", "3 of 3"] and lead[-1] == "**holds**"
    assert rows["us-fbu vs us-cb, macro F1"][-1] == "other sign, not significant"
    assert set(rows) == {f"us-{a}, macro F1" for a in ("alfamous vs us", "alfamous vs us-fbu", "fbu vs us-cb")}
    contrary = tests["letter", "us-fbu", "us", "macro_f1"]
    assert claims.verdict(contrary, 1) == "**the contrary**" and claims.verdict(contrary, -1) == "**holds**"
    assert claims.verdict(tests["letter", "us-cb", "us", "macro_f1"], 1) == "tie"
    opened = tests["ecg5000", "bald-alfamous", "bald", "macro_f1"]
    assert claims.verdict(opened, -1) == "same sign, not significant"


def test_claims_on_curves(tmp_path):
    """FBU leads by .1 and .3; 70 % accuracy (F1 .65) lies at labels 10 + 20 of 20 between .45 and .65, or at 15."""
    f1 = {
        "bald": {0: (0.1, 0.3, 0.4)},
        "bald-fbu": {0: (0.1, 0.4, 0.7)},
        "bald-alfamous": {0: (0.4, 0.9, 0.9)},
    }
    write(tmp_path / "letter", f1, "letter", cycles=2)
    rows = claims.curve_rows(find_runs([tmp_path]))
    assert [row[-1] for row in rows] == ["+30.0 at 30 labels", "bald does not come to 0.7"]
    f1["bald"][0] = (0.15, 0.45, 0.85)
    write(tmp_path / "again", f1, "letter", cycles=2)
    rows = claims.curve_rows(find_runs([tmp_path / "again"]))
    # from .5 at 20 to .9 at 30 labels: .7 at 25; AL-FaMoUS from .45 at 10 to .95 at 20: .7 at 15
    assert rows[1][-1] == f"{25 / 15:.2f} (25 to 15 labels)"


def test_labels_at_by_hand():
    labels, curve = np.array([10.0, 20.0, 40.0]), np.array([0.2, 0.4, 0.8])
    assert claims.labels_at(labels, curve, 0.5) == pytest.approx(25)
    assert claims.labels_at(labels, curve, 0.1) == 10
    assert math.isnan(claims.labels_at(labels, curve, 0.9))
