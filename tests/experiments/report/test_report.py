"""Statistics, figures and report of a run, on records small enough to average by hand."""

import io
import json
import math

import numpy as np
import pytest
from records_by_hand import F1, make_records, write_run
from rich.console import Console
from scipy import stats

from experiments.published import alfamous
from experiments.report import figures, page, summary


@pytest.fixture
def run(tmp_path):
    config = {"dataset": "letter", "initial": 10, "budget": 10, "cycles": 2, "lam": 0.1, "epochs": 100}
    return write_run(tmp_path, make_records(), strategies=list(F1), seeds=3, first_seed=0, **config)


def test_strategies_come_in_the_order_of_the_paper():
    names = ["dmcs-rand", "bald-cb", "us-alfamous", "entropy-cb", "us", "random", "us-cb"]
    records = [{"strategy": name} for name in names]
    expected = ["random", "us", "us-cb", "us-alfamous", "bald-cb", "dmcs-rand", "entropy-cb"]
    assert summary.strategies(records) == expected


def test_mean_and_standard_error_by_hand():
    records = make_records()
    np.testing.assert_allclose(list(summary.seed_means(records, "us", "macro_f1").values()), [0.3, 0.5, 0.4])
    mean, se, num = summary.mean_over_seeds(records, "us", "macro_f1")
    # deviations -.1 .1 0: variance .02 / 2, standard error .1 / sqrt(3)
    assert (mean, se, num) == (pytest.approx(0.4), pytest.approx(0.1 / math.sqrt(3)), 3)
    assert summary.mean_over_seeds(records, "us", "accuracy").mean == pytest.approx(0.45)
    assert summary.mean_over_seeds(records, "us", "ed_diversity") == (12.0, 0.0, 3)


def test_one_seed_has_no_standard_error():
    mean, se, num = summary.mean_over_seeds(make_records({"us": {4: (0.2, 0.4)}}), "us", "macro_f1")
    assert mean == pytest.approx(0.4) and math.isnan(se) and num == 1


def test_scores_leave_the_start_out_and_batches_do_not():
    records = make_records({"us": {0: (0.1, 0.3, 0.5)}})
    records[0]["ed_diversity"] = 6.0
    assert summary.seed_means(records, "us", "macro_f1") == {0: pytest.approx(0.4)}
    assert summary.seed_means(records, "us", "macro_f1", first_cycle=0) == {0: pytest.approx(0.3)}
    assert summary.seed_means(records, "us", "ed_diversity") == {0: pytest.approx(9.0)}
    only_start = make_records({"us": {0: (0.1,)}})
    assert summary.seed_means(only_start, "us", "macro_f1") == {0: pytest.approx(0.1)}


def test_nulls_and_nans_are_left_out():
    records = make_records({"us": {0: (0.2, 0.3, 0.4), 1: (0.2, 0.3, 0.4)}})
    records[0]["cbi"], records[1]["cbi"], records[3]["cbi"] = None, math.nan, math.inf
    assert list(summary.seed_means(records, "us", "cbi").values()) == pytest.approx([2.4, 2.35])
    for record in records:
        record["cbi"] = None
    assert math.isnan(summary.mean_over_seeds(records, "us", "cbi").mean)


def test_paired_comparison_by_hand():
    found = summary.compare(make_records(), "us-alfamous", "us", "macro_f1")
    # differences .2 .1 .4: squared deviations from 7/30 sum to 42/900, variance 21/900
    assert found.mean == pytest.approx(7 / 30)
    assert found.se == pytest.approx(math.sqrt(7 / 900))
    assert (found.num, found.wins) == (3, 3)
    t = found.mean / found.se
    assert found.t_p == pytest.approx(1 - t / math.sqrt(2 + t**2))  # Student's t with 2 degrees of freedom
    assert found.wilcoxon_p == pytest.approx(0.25)  # 2 of the 8 sign patterns
    assert found.t_p == pytest.approx(stats.ttest_rel([0.5, 0.6, 0.8], [0.3, 0.5, 0.4]).pvalue)


def test_paired_comparison_takes_the_common_seeds():
    found = summary.compare(make_records(), "us", "random", "macro_f1")
    assert (found.num, found.wins, found.mean) == (2, 2, pytest.approx(0.1))
    assert math.isnan(found.t_p)  # both differences are .1: no spread to test against
    assert summary.compare(make_records({"us": {0: (0.1,)}, "bald": {1: (0.1,)}}), "us", "bald", "macro_f1").num == 0


def test_labels_to_level_by_hand():
    records = make_records()
    # us reaches .3 at labels 30, 10, 10
    assert summary.labels_to_level(records, "us", 0.3) == (pytest.approx(50 / 3), pytest.approx(20 / 3), 3, 3)
    mean, _, num, reached = summary.labels_to_level(records, "us", 0.5)
    assert math.isnan(mean) and (num, reached) == (3, 1)
    assert summary.levels_in_range(records) == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert summary.levels_in_range(make_records({"us": {0: (0.45, 0.65)}})) == [0.5, 0.6]


def test_seeds_without_every_cycle_count_in_no_mean():
    records = make_records({"us": {0: (0.2, 0.3, 0.4), 1: (0.9, 0.9)}, "bald": {0: (0.9,)}})
    assert summary.seed_means(records, "us", "macro_f1") == {0: pytest.approx(0.35)}
    assert summary.mean_over_seeds(records, "bald", "macro_f1").num == 0
    lines = summary.missing(records, ["us", "us-cb", "bald"], range(3), 2)
    assert lines == [
        "us-cb: not run",
        "us, seeds 1: without cycles 2",
        "us, seeds 2: without cycles 0-2",
        "bald, seeds 0: without cycles 1-2",
        "bald, seeds 1-2: without cycles 0-2",
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"strategy": "us", "se', "not JSON"),
        ("", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"strategy": "us", "cycle": 0, "num_labelled": 3}', "seed must be int, got null"),
        ('{"strategy": "us", "seed": 0, "cycle": -1, "num_labelled": 3}', "cycle must not be negative, got -1"),
        ('{"strategy": "us", "seed": 0, "cycle": 0, "num_labelled": 3, "cbi": "x"}', 'a number or null, got "x"'),
        ('{"strategy": "random", "seed": 0, "cycle": 1, "num_labelled": 20}', "repeats line 20"),
    ],
)
def test_malformed_line_is_named(run, capsys, line, message):
    path = run / "metrics.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 25: ") as error:
        summary.load_records(run)
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


def test_report_holds_the_numbers(run):
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


def test_report_of_bare_records(tmp_path):
    records = make_records({"entropy-cb": {0: (0.1, 0.2)}, "dmcs-rand": {0: (0.1,)}})
    for record in records:
        record["cbi"] = None
        del record["counts"]
    write_run(tmp_path, records)
    (tmp_path / "config.json").unlink()
    text = page.write_report(tmp_path).read_text(encoding="utf-8")
    assert "| entropy-cb | 1 | 0.250 | - | - | 0.200 | - | - | - | - | - | 0.150 |" in text
    assert "- no config.json" in text and "dmcs-rand, seeds 0: without cycles 1" in text
    assert "entropy-cb: 2 records without a CBI" in text
    assert "classes.png" not in text and not (tmp_path / "classes.png").exists()


def test_command_line_prints_the_table(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert page.main([str(run)]) == 0
    printed = capsys.readouterr().out
    assert "us-alfamous" in printed and ".633±.088" in printed and "report.md" in printed


def test_table_of_the_paper_fits_80_columns():
    nine = {name: {seed: (0.1, 0.4 + 0.1 * seed) for seed in range(10)} for name in alfamous.load_results("letter")}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(page.summary_table(make_records(nine), {"dataset": "letter"}))
    text = console.export_text()
    assert "…" not in text and "bald-alfamous" in text and max(map(len, text.splitlines())) <= 80


def test_frequent_classes_of_each_seed():
    counts = np.array([[90.0, 50.0, 5.0, 4.0], [80.0, 60.0, 4.0, 5.0]])
    assert figures._classes_agree(counts)
    assert not figures._classes_agree(np.array([counts[0], counts[0, ::-1]]))
    assert figures._classes_agree(np.ones((2, 4)))
    means, order = figures._in_order({"random": dict(enumerate([counts[0], counts[0, ::-1]])), "us": {1: counts[1]}})
    assert order is None
    np.testing.assert_array_equal(means["random"], counts[0])
    np.testing.assert_array_equal(means["us"], counts[1, ::-1])


DATASETS = ("letter", "mnist", "fmnist", "cifar10", "crop", "electric_devices", "ecg5000")


def test_paper_results_are_complete():
    rows = alfamous._rows("paper_results.csv")
    assert len(rows) == 63
    names = alfamous.load_results("letter")
    assert [(row["dataset"], row["strategy"]) for row in rows] == [(d, name) for d in DATASETS for name in names]
    assert alfamous.load_results("letter")["us-alfamous"] == {"accuracy": 0.627, "macro_f1": 0.609, "cbi": 4.33}
    assert alfamous.load_results("ecg5000")["bald-alfamous"] == {"accuracy": 0.937, "macro_f1": 0.537, "cbi": 3.05}
    assert alfamous.load_results("iris") == {} and set(alfamous.PAPER_SETTINGS) == set(DATASETS)


@pytest.mark.parametrize(
    "dataset, first, second, metric, points",
    [
        ("letter", "us-alfamous", "us", "macro_f1", 9.7),
        ("letter", "bald-alfamous", "bald", "macro_f1", 9.1),
        ("letter", "us-alfamous", "us-fbu", "macro_f1", 1.2),
        ("letter", "bald-alfamous", "bald-fbu", "macro_f1", 1.9),
        ("letter", "bald-fbu", "bald", "macro_f1", 7.2),
        ("fmnist", "bald-alfamous", "bald-fbu", "accuracy", 0.4),
        ("fmnist", "bald-alfamous", "bald-cb", "accuracy", 1.0),
        ("cifar10", "us-fbu", "us", "macro_f1", -0.7),
        ("cifar10", "us-fbu", "us", "accuracy", -0.5),
        ("electric_devices", "us-alfamous", "us", "macro_f1", 1.1),
        ("electric_devices", "us-alfamous", "us-fbu", "macro_f1", 0.4),
        ("electric_devices", "bald", "us", "accuracy", -1.2),
    ],
)
def test_paper_results_agree_with_the_prose(dataset, first, second, metric, points):
    paper = alfamous.load_results(dataset)
    assert 100 * (paper[first][metric] - paper[second][metric]) == pytest.approx(points)


def test_orderings_of_the_paper():
    def count(metric, first, second):
        pairs = [(alfamous.load_results(d), family) for d in DATASETS for family in ("us", "bald")]
        return sum(paper[family + first][metric] >= paper[family + second][metric] for paper, family in pairs)

    for metric in ("cbi", "macro_f1"):
        assert [count(metric, "-alfamous", other) for other in ("", "-cb", "-fbu")] == [14, 14, 14]
    assert (count("cbi", "-cb", ""), count("macro_f1", "-cb", ""), count("macro_f1", "-fbu", "")) == (14, 10, 11)
