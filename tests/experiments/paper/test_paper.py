"""The page over all data sets, on runs small enough to work out by hand."""

import io
import re

import numpy as np
import pytest
from paper_runs_by_hand import LETTER, write, write_results
from rich.console import Console

from experiments.paper import __main__ as paper
from experiments.paper import figures as paper_figures
from experiments.paper import tables
from experiments.paper.runs import caveats, dataset_of, find_runs, title_of
from experiments.published import alfamous
from experiments.report import styles


@pytest.fixture
def results(tmp_path):
    return write_results(tmp_path / "results")


def test_runs_come_in_the_order_of_the_paper_and_others_are_passed_over(results):
    runs = find_runs([results])
    assert [(dataset_of(run), run.folder.name) for run in runs] == [("letter", "letter"), ("ecg5000", "ecg")]
    assert [title_of(run) for run in runs] == ["LETTER", "ECG5000†"]
    again = find_runs([results / "ecg", results / "letter", results / "ecg"])
    assert [run.folder for run in again] == [run.folder for run in runs]


@pytest.mark.slow
def test_page_holds_the_numbers(results, drawn):
    path = paper.write_page([results], results)
    text = path.read_text(encoding="utf-8")
    assert path == results / "paper.md" and "nan" not in text
    for row in (
        "| us | 0.550 ± 0.058 | 0.547 | 0.500 ± 0.058 | 0.512 | 2.50 ± 0.06 | 3.05 |",
        "| us-alfamous | **0.750 ± 0.055** | **0.627** | **0.700 ± 0.055** | **0.609** | **2.70 ± 0.06** | **4.33** |",
        "| bald | **0.600 ± 0.050** | 0.934 | **0.550 ± 0.050** | 0.528 | **2.55 ± 0.05** | 2.75 |",
        "| random | 0.250 ± 0.058 | 0.494 | 0.200 ± 0.058 | 0.414 | 2.20 ± 0.06 | 2.79 |",
        "| LETTER | us-fbu | +0.000 ± 0.000 | +0.0 | +1.49 | 0 of 3 | - | +0.0000 ± 0.0000 | +0.0 |",
        "Not run: MNIST, FMNIST, CIFAR10, CROP, E-DEVICE.",
        "- ECG5000†: **not comparable with the paper's: 4,000 of 5,000 rows**",
        "- ECG5000†: other settings than the paper's: cycles 1 (paper 6), epochs 5 (paper 100)",
        "- LETTER: 3 of the paper's 10 seeds",
        "- LETTER: bald, bald-cb, bald-fbu, bald-alfamous: not run",
        "† Rows are missing",
    ):
        assert row in text, row
    overview = "| LETTER | us | +0.200 ± 0.006 | +0.097 | 3 of 3 | < 0.001 | 0.250 | +0.20 ± 0.01 | +1.28 | 3 of 3 |"
    assert overview in text and "| LETTER | bald | - | +0.091 | - | - | - |" in text
    for name, figure, above in zip(("f1.png", "accuracy.png", "cbi.png"), drawn, (0, 0.05, 2), strict=True):
        assert f"({name})" in text and (results / name).read_bytes().startswith(b"\x89PNG")
        np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), [0.1 + above, 0.5 + above])
    assert not list(results.glob("*.tmp"))


def test_figure_has_a_panel_for_each_data_set_and_family(results, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(styles, "save", lambda figure, path: drawn.append(figure))
    paper_figures.metric_curves(find_runs([results]), "cbi", tmp_path / "cbi.png")
    axes = drawn[0].axes
    assert [axis.get_title(loc="left") for axis in axes] == [
        "LETTER, us", "LETTER, bald", "ECG5000†, us", "ECG5000†, bald"
    ]  # fmt: skip
    assert [len(axis.lines) for axis in axes] == [5, 1, 0, 2]
    np.testing.assert_allclose(axes[0].lines[1].get_xydata(), [[10, 2.1], [20, 2.5]])
    np.testing.assert_allclose(axes[3].lines[1].get_ydata(), [2.1, 2.5])
    assert drawn[0].get_supylabel() == "Class balance index (min-max)"


@pytest.mark.slow
def test_links_lead_to_files(results, tmp_path):
    for name in ("report.md", "curves.png", "lambda.png"):
        (results / "letter" / name).touch()
    out = tmp_path / "deep" / "page"
    text = paper.write_page([results / "letter"], out).read_text(encoding="utf-8")
    assert "[report](../../results/letter/report.md)" in text
    assert (
        "[curves](../../results/letter/curves.png) | 5a, 7 | - | 8 | [lambda](../../results/letter/lambda.png)" in text
    )
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (out / target).exists(), target


@pytest.mark.parametrize("rows, phrase", [
    (16637, None),
    (16636, "16,636 of 16,637 rows (0.006 % are missing)"),
    (16471, "16,471 of 16,637 rows (1 % are missing)"),
    (16470, "**not comparable with the paper's: 16,470 of 16,637 rows**"),
])  # fmt: skip
def test_missing_rows(tmp_path, rows, phrase):
    write(tmp_path / "run", {"us": {s: (0.1, 0.2) for s in range(10)}}, "electric_devices", data=(rows, 16637))
    (run,) = find_runs([tmp_path / "run"])
    lines = caveats(run)
    assert lines[: len(lines) - 2] == ([phrase] if phrase else [])
    assert lines[-2].startswith("other settings") and lines[-1].endswith(": not run")
    assert title_of(run) == "E-DEVICE" + "†" * bool(phrase and phrase.startswith("**"))


def test_unfinished_run_says_what_it_lacks(tmp_path):
    f1 = {name: {s: (0.1, 0.2, 0.3) for s in range(2)} for name in ("us", "us-cb", "us-fbu")}
    f1["us-alfamous"] = {0: (0.1, 0.5, 0.6), 1: (0.1, 0.5)}
    write(tmp_path / "run", f1, "letter", seeds=3, cycles=2)
    text = paper.write_page([tmp_path / "run"], tmp_path / "out").read_text(encoding="utf-8")
    assert "- LETTER: us, us-cb, us-fbu, us-alfamous, seeds 2: without cycles 0-2" in text
    assert "- LETTER: us-alfamous, seeds 1: without cycles 2" in text
    assert "| us-alfamous | **0.600** | **0.627** |" in text  # of the complete seed alone


def fail(args, capsys):
    assert paper.main([str(arg) for arg in args]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.err.startswith("error: ") and not captured.out
    return captured.err


def test_errors_are_one_line_and_nothing_is_written(results, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    for folder in (tmp_path / "absent", results / "bench", results / "mine"):
        assert f"{folder}: no run on one of letter, mnist" in fail([folder, "--out", tmp_path / "out"], capsys)
    assert "--out must say" in fail([results / "letter", results / "ecg"], capsys)
    assert sorted(tmp_path.rglob("*")) == before
    write(results / "twin", LETTER, "letter")
    error = fail([results, "--out", tmp_path / "out"], capsys)
    assert f"{results / 'letter'} and {results / 'twin'}: two runs on letter" in error
    path = results / "letter" / "metrics.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    assert "metrics.jsonl, line 31: not JSON" in fail([results / "letter", "--out", tmp_path / "out"], capsys)
    (results / "ecg" / "environment.json").write_text('{"data": {"rows": 3}}')
    assert "environment.json: data must hold" in fail([results / "ecg", "--out", tmp_path / "out"], capsys)
    write(tmp_path / "other", {"us-alfamous@8": {0: (0.1, 0.2)}}, "letter")
    assert "none of the strategies random, us" in fail([tmp_path / "other"], capsys)
    assert not (tmp_path / "out").exists() and not list(tmp_path.rglob("*.png"))


def test_command_line_prints_the_overview(results, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert paper.main([str(results)]) == 0
    printed = capsys.readouterr().out
    assert "+.200±.006" in printed and "ECG5000†" in printed and printed.strip().endswith("paper.md")


def test_overview_of_seven_data_sets_fits_80_columns(tmp_path):
    nine = {name: {s: (0.1, 0.3 + 0.01 * (s + 1) * i) for s in range(10)} for i, name in enumerate(
        alfamous.load_results("letter"))}  # fmt: skip
    for dataset in alfamous.TITLES:
        write(tmp_path / dataset, nine, dataset, data=(1, 2))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables.rich_overview(find_runs([tmp_path])))
    text = console.export_text()
    assert "…" not in text and text.count("E-DEVICE†") == 2 and max(map(len, text.splitlines())) <= 80
