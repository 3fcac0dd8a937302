"""The page over all data sets, on runs small enough to work out by hand."""

import io
import json
import math
import re

import numpy as np
import pytest
from records_by_hand import make_records, write_run
from rich.console import Console

from experiments.paper import __main__ as paper
from experiments.paper import claims, tables
from experiments.paper import figures as paper_figures
from experiments.paper.runs import caveats, find_runs
from experiments.published import alfamous
from experiments.report import figures

# Macro F1 by strategy and seed at cycles 0 and 1, so that the mean over the cycles is the second; accuracy is .05
# above, CBI 2 above, Euclidean diversity the same everywhere. Minus us: alfamous .2 .21 .19, cb -.1 0 .1,
# fbu -.2 -.21 -.19.
LETTER = {
    "random": {0: (0.1, 0.2), 1: (0.1, 0.3), 2: (0.1, 0.1)},
    "us": {0: (0.1, 0.4), 1: (0.1, 0.5), 2: (0.1, 0.6)},
    "us-cb": {0: (0.1, 0.3), 1: (0.1, 0.5), 2: (0.1, 0.7)},
    "us-fbu": {0: (0.1, 0.2), 1: (0.1, 0.29), 2: (0.1, 0.41)},
    "us-alfamous": {0: (0.1, 0.6), 1: (0.1, 0.71), 2: (0.1, 0.79)},
}
ECG = {"bald": {0: (0.1, 0.5), 1: (0.1, 0.6)}, "bald-alfamous": {0: (0.1, 0.4), 1: (0.1, 0.6)}}
P_LARGE = 1 - 0.2 / math.sqrt(2 * 1e-4 / 3 + 0.04)  # two-sided, 2 degrees of freedom, t = .2 / (.01 / sqrt(3))


def write(folder, f1, dataset, data=None, **config):
    folder.mkdir(parents=True)
    setting = dict(zip(alfamous.SETTINGS, alfamous.PAPER_SETTINGS[dataset], strict=True))
    seeds = len(next(iter(f1.values())))
    write_run(folder, make_records(f1), dataset=dataset, **{**setting, "seeds": seeds, "cycles": 1, **config})
    if data:
        (folder / "environment.json").write_text(
            json.dumps({"data": dict(zip(("rows", "published"), data, strict=True))})
        )
    return folder


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    write(folder / "letter", LETTER, "letter")
    write(folder / "ecg", ECG, "ecg5000", data=(4000, 5000), epochs=5)
    (folder / "bench").mkdir()
    write(folder / "mine", LETTER, "letter")
    (folder / "mine" / "config.json").write_text('{"dataset": "data/mine.npz"}')
    return folder


def load(results):
    runs = find_runs([results])
    return runs, claims.all_tests(runs)


def ordering(rows, name):
    return next(row[1:] for row in rows if row[0] == name)


def test_runs_come_in_the_order_of_the_paper_and_others_are_passed_over(results):
    runs = find_runs([results])
    assert [(run.dataset, run.folder.name) for run in runs] == [("letter", "letter"), ("ecg5000", "ecg")]
    assert [run.title for run in runs] == ["LETTER", "ECG5000†"]
    assert find_runs([results / "ecg", results / "letter", results / "ecg"]) == runs


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


def test_page_holds_the_numbers(results):
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
    for name in ("f1.png", "accuracy.png", "cbi.png"):
        assert f"({name})" in text
        image = (results / name).read_bytes()
        assert image.startswith(b"\x89PNG") and len(image) > 10_000
    assert not list(results.glob("*.tmp"))


def test_figure_has_a_panel_for_each_data_set_and_family(results, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    paper_figures.metric_curves(find_runs([results]), "cbi", tmp_path / "cbi.png")
    axes = drawn[0].axes
    assert [axis.get_title(loc="left") for axis in axes] == [
        "LETTER, us", "LETTER, bald", "ECG5000†, us", "ECG5000†, bald"
    ]  # fmt: skip
    assert [len(axis.lines) for axis in axes] == [5, 1, 0, 2]
    np.testing.assert_allclose(axes[0].lines[1].get_xydata(), [[10, 2.1], [20, 2.5]])
    np.testing.assert_allclose(axes[3].lines[1].get_ydata(), [2.1, 2.5])
    assert drawn[0].get_supylabel() == "Class balance index (min-max)"


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
    assert run.title == "E-DEVICE" + "†" * bool(phrase and phrase.startswith("**"))


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
    nine = {name: {s: (0.1, 0.3 + 0.01 * s * i) for s in range(10)} for i, name in enumerate(
        alfamous.load_results("letter"))}  # fmt: skip
    for dataset in alfamous.TITLES:
        write(tmp_path / dataset, nine, dataset, data=(1, 2))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables.rich_overview(find_runs([tmp_path])))
    text = console.export_text()
    assert "…" not in text and text.count("E-DEVICE†") == 2 and max(map(len, text.splitlines())) <= 80


def test_diversity_of_the_paper_is_complete():
    names = [f"{family}-{variant}" for family in ("us", "bald") for variant in ("cb", "fbu", "alfamous")]
    for dataset in alfamous.TITLES:
        assert list(alfamous.load_diversity(dataset)) == ["us", "bald", *names]
    assert alfamous.load_diversity("iris") == {}
    assert alfamous.difference("cifar10", "us-alfamous", "us-fbu", "ed_diversity") == pytest.approx(4.26 - 1.09)
    assert alfamous.difference("mnist", "us-cb", "us", "ed_diversity") == -0.08
    assert math.isnan(alfamous.difference("mnist", "us-cb", "bald", "ed_diversity"))


def test_claims_agree_with_the_tables_but_for_three():
    odd = set()
    for claim in alfamous.load_claims():
        published = alfamous.difference(*claim[:4])
        assert claim.statistic in ("mean", "peak", "labels") and claim.sentence
        if claim.statistic == "labels":
            assert claim.level > 0 and float(claim.claimed) > 1
            continue
        if (claim.dataset, claim.statistic, claim.metric) != ("ecg5000", "peak", "macro_f1") or claim.sign > 0:
            assert claim.sign * published > 0, claim
        if claim.statistic == "mean" and claim.claimed not in "+-":
            if float(claim.claimed) != pytest.approx(100 * published):
                odd.add((claim.dataset, claim.second, claim.claimed))
    # sentences that the paper's own tables do not give
    assert odd == {("letter", "bald-fbu", "+1.5"), ("fmnist", "bald-fbu", "+1.5"), ("fmnist", "bald-cb", "+2.7")}
