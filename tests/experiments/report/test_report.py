"""The report of a run and its figures, on records small enough to average by hand."""

import ast
import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from records_by_hand import F1, make_records, write_run
from rich.console import Console

from experiments.published import alfamous
from experiments.report import FILES, active, class_counts, page
from experiments.report.markdown import NOTHING
from experiments.report.runs import load_records, of_records


@pytest.fixture
def run(tmp_path):
    config = {"dataset": "letter", "initial": 10, "budget": 10, "cycles": 2, "lam": 0.1, "epochs": 100}
    return write_run(tmp_path, make_records(), strategies=list(F1), seeds=3, first_seed=0, **config)


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"strategy": "us", "se', "not JSON"),
        ("", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"strategy": "us", "cycle": 0, "num_labelled": 3}', "seed must be int, got null"),
        ('{"strategy": "us", "seed": 0, "cycle": -1, "num_labelled": 3}', "cycle must not be negative, got -1"),
        ('{"strategy": "us", "seed": 0, "cycle": 0, "num_labelled": 3, "cbi": "x"}', 'a number or null, got "x"'),
        ('{"strategy": "us", "seed": 9, "cycle": 0, "num_labelled": 3, "counts": [1, 2]}', "3 classes, got 2"),
        ('{"strategy": "us@", "seed": 9, "cycle": 0, "num_labelled": 3}', "strategy 'us@': expected BASE"),
        ('{"strategy": "random", "seed": 0, "cycle": 1, "num_labelled": 20}', "repeats line 20"),
    ],
)
def test_malformed_line_is_named(run, capsys, line, message):
    path = run / "metrics.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 25: ") as error:
        load_records(run)
    assert str(error.value).startswith(f"{path}, line 25: ") and message in str(error.value)
    assert page.main([str(run)]) == 2
    assert capsys.readouterr().err == f"error: {error.value}\n"
    assert not (run / "report.md").exists() and not (run / "curves.png").exists()


@pytest.mark.parametrize("kind, message", [("absent", "no such file"), ("bare", "no such file"), ("empty", "empty")])
def test_wrong_workdir_is_one_line_and_exit_code_2(tmp_path, capsys, kind, message):
    folder = tmp_path / kind
    if kind != "absent":
        folder.mkdir()
    if kind == "empty":
        (folder / "metrics.jsonl").touch()
    before = sorted(tmp_path.rglob("*"))
    assert page.main([str(folder)]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"error: {folder / 'metrics.jsonl'}: {message}\n" and not captured.out
    assert sorted(tmp_path.rglob("*")) == before


def test_report_holds_the_numbers(run, drawn):
    environment = {"date": "2026-09-01", "devices": ["CPU", "CPU"], "git_revision": "abc1234", "jax": None}
    (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    timings = [{"strategy": "us", "seeds": [0], "cycle": c, "train_s": 1.5, "query_s": 0.25} for c in range(3)]
    timings.append({"strategy": "random", "seeds": [0], "cycle": 0, "train_s": 1})
    lines = "".join(json.dumps(row) + "\n" for row in timings)
    (run / "timings.jsonl").write_text(lines, encoding="utf-8")
    path = page.write_report(run)
    text = path.read_text(encoding="utf-8")
    assert path == run / "report.md"
    for row in (
        "| us | 3 | 0.450 ± 0.058 | 0.547 | -0.097 | 0.400 ± 0.058 | 0.512 | -0.112 | 2.40 ± 0.06 | 3.05 | -0.65 |",
        "| us-alfamous vs us | macro F1 | +0.233 ± 0.088 | 3 of 3 | 0.118 | 0.250 | +0.097 |",
        "| us-alfamous vs us | CBI | +0.23 ± 0.09 | 3 of 3 | 0.118 | 0.250 | +1.28 |",
        "| us | 17 ± 7 | 2 of 3 seeds | 1 of 3 seeds | 1 of 3 seeds | 0 of 3 seeds | 0 of 3 seeds |",
        "| us | 12.000 ± 0.000 | 0.1250 ± 0.0000 | 0.300 ± 0.000 |",
        "| all | 5.5 | 0.8 |",
        "- devices: CPU, CPU",
        "- random, seeds 2: without cycles 0-2",
    ):
        assert row in text
    assert "cycles 2 (paper 20)" in text and "nan" not in text
    for name in ("curves.png", "classes.png"):
        assert f"({name})" in text and (run / name).read_bytes().startswith(b"\x89PNG")
    assert not list(run.glob("*.tmp"))
    curves, classes = drawn
    f1 = {line.get_label(): line.get_xydata() for line in curves.axes[1].lines}
    assert [axis.get_title(loc="left") for axis in curves.axes][1] == "Macro F1" and len(f1) == 3
    np.testing.assert_allclose(curves.axes[1].lines[1].get_xydata(), [[10, 0.8 / 3], [20, 1 / 3], [30, 1.4 / 3]])
    panels = {axis.get_title(loc="left"): [bar.get_height() for bar in axis.patches[:3]] for axis in classes.axes}
    assert panels == dict.fromkeys(("us", "us-alfamous"), [18, 9, 3]), "random sampling is the outline in each"


def test_report_of_bare_records(tmp_path):
    records = make_records({"entropy-cb": {0: (0.1, 0.2)}, "dmcs-rand": {0: (0.1,)}})
    for record in records:
        record["cbi"] = None
        del record["counts"]
    write_run(tmp_path, records)
    (tmp_path / "config.json").unlink()
    text = page.write_report(tmp_path).read_text(encoding="utf-8")
    assert "| entropy-cb | 1 | 0.250 | 0.200 | - | 0.150 |" in text
    assert "- no config.json" in text and "dmcs-rand, seeds 0: without cycles 1" in text
    assert "entropy-cb: 2 records without a CBI" in text
    assert "classes.png" not in text and not (tmp_path / "classes.png").exists()


def test_diversities_that_are_null_are_missing(tmp_path):
    records = make_records()
    for record in records:
        spoilt = (record["strategy"], record["cycle"]) == ("us", 1) or record["strategy"] == "random"
        record["kl_diversity"] = None if spoilt else record["kl_diversity"]
    text = page.write_report(write_run(tmp_path, records)).read_text(encoding="utf-8")
    # 2 seeds of random and 3 of us, with two batches each
    assert "- random, us: 7 of 10 batches without a KL diversity (features below 0 are no distribution)" in text
    assert "without a Euclidean" not in text
    for record in records:
        record["kl_diversity"] = None
    text = page.write_report(write_run(tmp_path, records)).read_text(encoding="utf-8")
    assert "- all strategies: 16 of 16 batches without a KL diversity" in text


def test_command_line_prints_the_table(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert page.main([str(run)]) == 0
    printed = capsys.readouterr().out
    assert "us-alfamous" in printed and ".633±.088" in printed and "report.md" in printed


def test_table_of_the_paper_fits_80_columns():
    nine = {name: {seed: (0.1, 0.4 + 0.1 * seed) for seed in range(10)} for name in alfamous.load_results("letter")}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(page.summary_table(of_records(make_records(nine), config={"dataset": "letter"})))
    text = console.export_text()
    assert "…" not in text and "bald-alfamous" in text and max(map(len, text.splitlines())) <= 80


def test_frequent_classes_of_each_seed():
    counts = np.array([[90.0, 50.0, 5.0, 4.0], [80.0, 60.0, 4.0, 5.0]])
    assert class_counts._classes_agree(counts)
    assert not class_counts._classes_agree(np.array([counts[0], counts[0, ::-1]]))
    assert class_counts._classes_agree(np.ones((2, 4)))
    means, order = class_counts._in_order(
        {"random": dict(enumerate([counts[0], counts[0, ::-1]])), "us": {1: counts[1]}}
    )
    assert order is None
    np.testing.assert_array_equal(means["random"], counts[0])
    np.testing.assert_array_equal(means["us"], counts[1, ::-1])


def test_names_of_the_files_come_without_matplotlib():
    """The doors pass them on, and `--overwrite` deletes them."""
    heavy = ["matplotlib", "numpy", "scipy", "rich"]
    code = f"import sys, experiments.report; print([name for name in {heavy} if name in sys.modules])"
    root = pathlib.Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert ast.literal_eval(done.stdout) == [] and len(FILES) == len(set(FILES))


def test_where_the_balance_follows_the_labels_its_weight_is_shown():
    records = make_records({"us-cb": {0: (0.1, 0.2, 0.3), 1: (0.1, 0.2, 0.3)}, "us": {0: (0.1, 0.2, 0.3)}})
    for record in records:
        record["lam"] = (0.08, 0.05, 0.02 + 0.01 * record["seed"])[record["cycle"]] * (record["strategy"] == "us-cb")
    header, rows = active._batches(of_records(records, config={"shrink_lam": True}))
    assert header[-1] == "lam, first to last cycle"
    assert {row[0]: row[-1] for row in rows} == {"us-cb": "0.080 to 0.025", "us": NOTHING}
    assert active._batches(of_records(records, config={}))[0] == header[:-1]


@pytest.mark.slow
def test_every_file_of_a_report_is_named(tmp_path):
    """All sections at once: balanced pairs, classes cut by name, a scheme, a chosen lam and minibatches."""
    names = ("random", "us", "us-cb", "us-fbu@2", "dmcs-rand:svm")
    records = make_records({name: {seed: (0.1, 0.2, 0.3) for seed in (0, 1)} for name in names})
    for record in records:
        if (record["strategy"], record["cycle"]) == ("us-cb", 0):
            record |= {"lam": 0.1, "lam_curve": {"lam": [0.0, 0.1], "l1": [2.0, 1.0], "utility": [3.0, 2.0]}}
    write_run(tmp_path, records, minority=[1, 2], minority_ratio=0.1)
    read = {path.name for path in tmp_path.iterdir()}
    page.write_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - read == set(FILES)
