"""The report on rare classes, by hand."""

import pathlib

import numpy as np

from experiments.report import rare
from experiments.report.runs import of_records

COUNTS = {"random": [[8, 1, 1], [16, 2, 2], [24, 3, 3]], "vabal": [[8, 1, 1], [10, 6, 4], [10, 12, 8]]}
ACCURACY = {"random": [0.5, 0.6, 0.7], "vabal": [0.5, 0.7, 0.9]}
CONFIG = {"dataset": "cifar10", "num_classes": 3, "minority": [1, 2], "minority_ratio": 0.1}


def record(name, seed, cycle, **fields):
    scores = {"accuracy": ACCURACY[name][cycle] + 0.02 * seed, "macro_f1": 0.5, "cbi": None, "recall": [0.9, None, 0.5]}
    counts = COUNTS[name][cycle]
    base = {"strategy": name, "seed": seed, "cycle": cycle, "num_labelled": sum(counts), "counts": counts}
    return {**base, **scores, **fields}


RECORDS = [record(name, seed, cycle) for name in COUNTS for seed in (0, 1) for cycle in range(3)]


def a_run(records=RECORDS, folder=pathlib.Path(), **config):
    return of_records(records, folder, CONFIG | config)


def test_table_by_hand():
    """Seeds differ by 2 points; of 10, 20 and 30 labels 2, 10 and 20 are of a class that is cut."""
    header, rows = rare.rare_table(a_run(), CONFIG["minority"])
    assert header == ["strategy", "seeds", "mean", "paper", "last", "paper", "rare, first", "rare, mean", "rare, last"]
    assert rows[0] == ["random", "2", "61.00 ± 1.00", "-", "71.00 ± 1.00", "-", "0.200", "0.200", "0.200"]
    assert rows[1] == ["vabal", "2", "71.00 ± 1.00", "54.77", "91.00 ± 1.00", "70.71", "0.200", "0.456", "0.667"]


def test_single_trials_by_hand():
    """The last round of either seed; a seed that is not finished has no number, a run of one seed no table."""
    unfinished = [*RECORDS, record("vabal", 2, 0)]
    assert rare.trial_rows(a_run(unfinished)) == [
        ["random", "70.00", "72.00", "-"], ["vabal", "**90.00**", "**92.00**", "-"]
    ]  # fmt: skip
    assert rare.trial_rows(a_run([r for r in RECORDS if r["seed"] == 0])) == []


def test_pairs_by_hand():
    """After the first round vabal leads by 10 and 20 points in either seed."""
    assert rare.vabal_pairs(a_run()) == [["random", "2", "+15.00 ± 0.00", "2 of 2", "-"]]
    assert rare.vabal_pairs(a_run([r for r in RECORDS if r["strategy"] == "random"])) == []


def test_runs_without_named_classes_have_no_section(tmp_path):
    for minority in ("drawn", "last", None):
        assert rare.write_sections(a_run(folder=tmp_path, minority=minority)) == []
    sections = rare.write_sections(a_run(folder=tmp_path, minority=[]))
    assert len(sections) == 6 and not list(tmp_path.iterdir()), "nothing is rare, so that there is no figure"
    assert sections[1][1][0][-3:] == ["-", "-", "-"]


def test_figure(tmp_path, drawn):
    """A seed that is not finished is left out; without recalls the second panel is empty."""
    unfinished = [*RECORDS, record("vabal", 2, 0)]
    assert rare.write_sections(a_run(unfinished, tmp_path))[6].startswith("![Rare classes]")
    assert (tmp_path / "rare.png").read_bytes().startswith(b"\x89PNG")
    left, right = drawn[0].axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[10, 0.2], [20, 0.2], [30, 0.2]])
    np.testing.assert_allclose(left.lines[1].get_xydata(), [[10, 0.2], [20, 0.5], [30, 2 / 3]])
    points = [line.get_xydata().tolist() for line in right.lines]  # of either strategy: the classes cut, the other
    assert np.allclose(points[3], [[10, 0.9]]) and len(points) == 4 and points[2][1] == [8, 0.5]
    assert rare.rare_table(a_run(unfinished), [1, 2]) == rare.rare_table(a_run(), [1, 2])
    old = [{name: value for name, value in r.items() if name != "recall"} for r in RECORDS]
    assert rare.draw_rare(a_run(old, tmp_path), [1, 2])
