"""The report's sections on a chosen lam and on swept minibatches, from records small enough to check by hand."""

import json

import numpy as np
import pytest
from records_by_hand import make_records, write_run

from experiments.report import page, sweeps
from experiments.report.runs import of_records

SWEPT = {
    "us-alfamous@8": {0: (0.2, 0.3, 0.5), 1: (0.2, 0.5, 0.7)},
    "us-alfamous@1": {0: (0.2, 0.4, 0.6), 1: (0.2, 0.7, 0.9)},
    "us-cb": {0: (0.2, 0.2, 0.2), 1: (0.2, 0.3, 0.3)},
}
TIMINGS = [
    {"strategy": "us-alfamous@1", "cycle": 0, "query_s": 9.0},
    {"strategy": "us-alfamous@1", "cycle": 1, "query_s": 0.5},
    {"strategy": "us-alfamous@1", "cycle": 1, "query_s": 0.7},
    {"strategy": "us-alfamous@1", "cycle": 2, "train_s": 1.0},
]


def with_curves(records):
    """Seed 0 chooses .1, seed 1 chooses .5."""
    for record in records:
        seed = record["seed"]
        record["lam"] = (0.1, 0.5)[seed] if record["strategy"] == "us-cb" else 0.0
        if record["strategy"] == "us-cb" and record["cycle"] == 0:
            l1 = ([4.0, 2.0, 2.0], [8.0, 6.0, 2.0])[seed]
            record["lam_curve"] = {"lam": [0.0, 0.1, 0.5], "l1": l1, "utility": [10.0, 9.0, 8.0 - seed]}
    return records


def test_lambda_curves_by_hand():
    curves = sweeps.lambda_curves(of_records(with_curves(make_records(SWEPT))))
    assert list(curves) == ["us-cb"]
    np.testing.assert_array_equal(curves["us-cb"].l1, [[4, 2, 2], [8, 6, 2]])
    assert curves["us-cb"].chosen.tolist() == [0.1, 0.5]
    assert sweeps.lambda_rows(curves) == [
        ["us-cb", "0", "6.000", "10.000", "-"],
        ["us-cb", "0.1", "4.000", "9.000", "1 of 2"],
        ["us-cb", "0.5", "2.000", "7.500", "1 of 2"],
    ]


def test_lines_of_the_figure(tmp_path, monkeypatch):
    """CBAL Fig. 4: the batch without balance is a line, and pseudo-labels at the lam that each seed chose."""
    records = with_curves(make_records(SWEPT))
    for record in records:
        record["strategy"] = record["strategy"].replace("us-cb", "entropy-pseudo")
    run, drawn = of_records(records)._replace(folder=tmp_path), []
    monkeypatch.setattr(sweeps.styles, "save", lambda figure, path: drawn.append(figure))
    sweeps.draw_lambda(run, sweeps.lambda_curves(run))
    for axis, own in zip(drawn[0].axes, ((2 / 4 + 2 / 8) / 2, (9 / 10 + 7 / 10) / 2), strict=True):
        flat = [line.get_ydata() for line in axis.lines if list(line.get_xdata()) == [0, 1]]
        assert sorted(float(y[0]) for y in flat if y[0] == y[1]) == pytest.approx(sorted([own, 1.0]))


def test_minibatches_by_hand():
    run = of_records(make_records(SWEPT), timings=TIMINGS)
    found = sweeps.minibatches(run)
    assert [(m.size, str(m.strategy), str(m.base)) for m in found] == [
        (1, "us-alfamous@1", "us-alfamous"),
        (8, "us-alfamous@8", "us-alfamous"),
    ]
    assert found[0].query_s == 0.7 and np.isnan(found[1].query_s)
    one, eight = sweeps.minibatch_rows(run, found)
    assert one[:3] == ["us-alfamous", "1", "0.650 ± 0.150"] and one[-2:] == ["-", "0.700"]
    # F1 means .5 and .8 against .4 and .6: differences -.1 and -.2
    assert eight[:3] == ["us-alfamous", "8", "0.500 ± 0.100"] and eight[-2:] == ["-0.150 ± 0.050", "-"]


@pytest.mark.slow
@pytest.mark.parametrize("timed", [True, False], ids=["timed", "untimed"])
def test_report_has_the_sections_and_the_figures(tmp_path, timed, drawn):
    if timed:
        (tmp_path / "timings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TIMINGS))
    write_run(tmp_path, with_curves(make_records(SWEPT)), strategies=list(SWEPT), dataset="letter")
    text = page.write_report(tmp_path).read_text(encoding="utf-8")
    assert "## Balance weight" in text and "| us-cb | 0.1 | 4.000 | 9.000 | 1 of 2 |" in text
    assert "## Minibatches" in text and "| us-alfamous | 8 | 0.500 ± 0.100 |" in text
    for name in ("lambda.png", "minibatches.png"):
        assert f"({name})" in text and (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    l1 = next(axis for figure in drawn for axis in figure.axes if "L1 term" in axis.get_title(loc="left"))
    np.testing.assert_allclose(l1.lines[0].get_xydata(), [[0, 1], [0.1, 0.625], [0.5, 0.375]])  # (2/4 + 6/8) / 2, ...
    assert l1.lines[1].get_xdata()[0] == pytest.approx(0.3), "the median choice of .1 and .5"
    (sizes,) = [figure for figure in drawn if figure.axes[-1].get_title(loc="left").startswith("Seconds of a query")]
    np.testing.assert_allclose(sizes.axes[0].lines[0].get_xydata(), [[1, 0.65], [8, 0.5]])


def test_report_without_sweeps_has_neither(tmp_path):
    write_run(tmp_path, make_records(), dataset="letter")
    text = page.write_report(tmp_path).read_text(encoding="utf-8")
    assert "Balance weight" not in text and "Minibatches" not in text
    assert not (tmp_path / "lambda.png").exists() and not (tmp_path / "minibatches.png").exists()
