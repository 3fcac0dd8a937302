"""Sweeps of one condition: the configs at its values, areas by hand, the page of runs by hand and of a run."""

import json

import numpy as np
import pytest
from data_files import write
from records_by_hand import make_records, write_run

from experiments.benchmark import sweep, sweep_page
from experiments.report import runs

BASE = {"initial": 20, "budget": 10, "cycles": 6, "minority_share": 0.0, "minority_ratio": 0.1, "copies": 1}


@pytest.mark.parametrize(
    ("field", "value", "changed"),
    [
        ("budget", 5, {"budget": 5, "cycles": 12}),
        ("budget", 25, {"budget": 25, "cycles": 2}),  # ten labels fewer than 60
        ("initial", 50, {"initial": 50, "cycles": 3}),
        ("minority_ratio", 0.02, {"minority_share": 0.5, "minority_ratio": 0.02}),
        ("copies", 3, {"copies": 3}),
    ],
)
def test_a_value_changes_its_field_and_leaves_the_labels_as_they_are(field, value, changed):
    assert sweep.config_at(BASE, field, value) == BASE | changed


def test_a_value_that_leaves_no_query_is_refused():
    with pytest.raises(ValueError, match="--values: initial 75 leaves no query of the pool's 80 labels"):
        sweep.config_at(BASE, "initial", 75)


@pytest.fixture
def found(tmp_path):
    """Scores of three cycles at 10, 20 and 30 labels; at the second value those of "us" are lower."""
    scores = {"random": {0: [0.1, 0.2, 0.5], 1: [0.2, 0.2, 0.2]}, "us": {0: [0.2, 0.4, 0.6], 1: [0.2, 0.4, 0.4]}}
    worse = {"random": scores["random"], "us": {0: [0.1, 0.1, 0.1], 1: [0.0, 0.1, 0.2]}}
    found = {}
    for value, f1 in ((0.0, scores), (0.5, worse)):
        (tmp_path / f"label_noise-{value:g}").mkdir()
        folder = write_run(tmp_path / f"label_noise-{value:g}", make_records(f1), strategies=["random", "us"], seeds=2)
        found[folder.name] = value, runs.load(folder)
    return found


def test_an_area_by_hand(found):
    """(.1 + .2) / 2 over 10 labels and (.2 + .5) / 2 over 10 more are .25 over 20."""
    run = found["label_noise-0"][1]
    assert sweep_page.area(run, "random") == pytest.approx({0: 0.25, 1: 0.2})
    assert sweep_page.area(run, "us") == pytest.approx({0: 0.4, 1: 0.35})


def test_the_page(found, tmp_path):
    text = sweep_page.write(found, "mine", "label_noise", tmp_path).read_text()
    assert "| strategy | [0](label_noise-0/report.md) | [0.5](label_noise-0.5/report.md) |" in text
    assert "| us | 0.375 ± 0.025 | 0.100 ± 0.000 |" in text
    assert "| us | +0.150 (p " in text and "| -0.125 (p " in text and "| random | +" not in text
    assert (tmp_path / sweep_page.PICTURE).stat().st_size > 5000


@pytest.mark.slow
def test_a_sweep_of_a_file(tmp_path, capsys):
    rng, y = np.random.default_rng(0), np.repeat(np.arange(3), [120, 60, 40])
    x = (rng.normal(size=(220, 5)) + 2 * np.eye(3, 5)[y]).astype(np.float32)
    data = write(tmp_path / "mine.npz", x=x, y=y)
    how = ["--seeds=1", "--strategies=random,margin", "--workers=1", f"--workdir={tmp_path / 'out'}"]
    assert sweep.main([data, "--over=budget", "--values=4,12", *how]) == 0
    configs = [json.loads((tmp_path / "out" / f"budget-{b}" / "config.json").read_text()) for b in (4, 12)]
    assert [c["budget"] for c in configs] == [4, 12] and configs[0]["cycles"] >= 2.5 * configs[1]["cycles"]
    capsys.readouterr()
    for values, said in (("4,x", "expected ints"), ("4,4", "expected different ones"), ("4,0", "config.budget")):
        assert sweep.main([data, "--over=budget", f"--values={values}", *how[:-1], f"--workdir={tmp_path / 'no'}"]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / "no").exists()
