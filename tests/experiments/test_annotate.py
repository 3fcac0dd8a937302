"""Simulated annotators who err, and the command that runs sessions with them."""

import json

import numpy as np
import pytest

from alfamous_jax import last_layer
from experiments import annotate

NEIGHBOURS = np.array([1, 0, 1, 2])
TRUTHS = np.random.default_rng(0).integers(0, 4, 4000)


def answers(kind, noise):
    answer = annotate.annotator(kind, noise, NEIGHBOURS, seed=1)
    return np.array([answer(int(truth)) for truth in TRUTHS])


@pytest.mark.parametrize("kind", annotate.KINDS)
def test_without_noise_everybody_is_right(kind):
    np.testing.assert_array_equal(answers(kind, 0.0), TRUTHS)


def test_uniform_mistakes_are_any_other_class():
    given = answers("uniform", 0.3)
    wrong = given != TRUTHS
    assert abs(wrong.mean() - 0.3) < 4 * np.sqrt(0.21 / 4000)
    moved = (given - TRUTHS)[wrong] % 4
    np.testing.assert_allclose(np.bincount(moved, minlength=4)[1:] / wrong.sum(), 1 / 3, atol=0.06)


def test_confused_mistakes_are_the_class_most_alike():
    given = answers("confused", 0.3)
    wrong = given != TRUTHS
    assert abs(wrong.mean() - 0.3) < 0.03
    np.testing.assert_array_equal(given[wrong], NEIGHBOURS[TRUTHS[wrong]])


def test_lazy_mistakes_repeat_the_last_answer():
    given = answers("lazy", 0.3)
    wrong = np.flatnonzero(given != TRUTHS)
    np.testing.assert_array_equal(given[wrong], given[wrong - 1])
    assert abs(len(wrong) / 4000 - 0.3 * 0.75) < 0.03  # a quarter of the repeats are right by luck


def test_the_class_most_alike_is_that_of_the_nearest_centroid():
    rows, labels = np.array([[0.0], [1.0], [1.5], [9.0]]), np.array([0, 1, 2, 4])
    assert annotate.most_alike(rows, labels, 5).tolist() == [1, 2, 1, 3, 2]


@pytest.fixture
def data(tmp_path):
    labels = np.random.default_rng(0).choice(2, 80, p=(0.7, 0.3))
    rows = 3 * np.eye(2, 3)[labels] + np.random.default_rng(1).normal(size=(80, 3))
    np.savez(tmp_path / "rows.npz", x=rows, y=labels)
    return [str(tmp_path / "rows.npz"), f"--workdir={tmp_path / 'runs'}", "--labels=8", "--initial=4", "--every=4"]


@pytest.mark.slow
def test_it_goes_on_with_the_runs_that_are_missing(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(last_layer, "NUM_FEATURES", 16)
    common = [*data, "--strategies=random,margin-alfamous", "--ratio=1", "--noise=0,0.4"]
    annotate.main([*common, "--seeds=1"])
    path = tmp_path / "runs" / "runs.jsonl"
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["strategy"], one["noise"]) for one in runs] == [
        ("random", 0.0), ("margin-alfamous", 0.0), ("random", 0.4), ("margin-alfamous", 0.4)
    ]  # fmt: skip
    assert [point["labels"] for point in runs[0]["points"]] == [4, 8] and runs[0]["fits"] == 25
    assert all(point["wrong"] == 0 for one in runs[:2] for point in one["points"])
    assert sum(one["points"][-1]["wrong"] for one in runs[2:]) > 0
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]) + '{"strat')
    annotate.main([*common, "--seeds=1"])
    assert [json.loads(line) for line in path.read_text().splitlines()] == runs
    assert "| margin-alfamous | " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="--kind: .* has runs with 'uniform', got 'lazy'"):
        annotate.main([*common, "--kind=lazy"])


@pytest.mark.parametrize(
    "flag, said",
    [
        ("--noise=1.0", "--noise: expected shares of at least 0 and below 1, got 1.0"),
        ("--strategies=vaal", "strategy must be one of"),
        ("--ratio=0", "--ratio: expected a share above 0"),
        ("--fits=-1", "retrain_every must be a whole number, 0 or more, got -1"),
        ("--seeds=0", "--seeds: expected at least 1, got 0"),
        ("--labels=3", "--labels: expected at least 4, got 3"),
        ("--labels=500", "--labels: the pool has"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(data, tmp_path, flag, said):
    with pytest.raises(SystemExit, match=said):
        annotate.main([*data, "--strategies=random", flag])
    assert not (tmp_path / "runs").exists()


def test_a_table_has_mean_and_error():
    runs = [("us", 0.0, 0.5), ("us", 0.0, 0.7), ("us", 0.3, 0.25), ("random", 0.0, 0.125)]
    found = [{"strategy": s, "noise": n, "points": [{"macro_f1": 0.0}, {"macro_f1": f}]} for s, n, f in runs]
    assert annotate.table(found).splitlines() == [
        "| strategy | 0% wrong | 30% wrong |",
        "| :-- | --: | --: |",
        "| us | 0.600 ± 0.100 (2) | 0.250 (1) |",
        "| random | 0.125 (1) |  |",
    ]


def test_how_often_to_fit_is_a_column_where_it_differs():
    runs = [(0, 0.5, 0.75), (5, 0.625, 0.625)]
    points = [[{"macro_f1": 0.0}, {"macro_f1": f, "macro_f1_fitted": g}] for _, f, g in runs]
    found = [{"strategy": "us", "noise": 0.0, "fits": x[0], "points": p} for x, p in zip(runs, points, strict=True)]
    old = {"strategy": "us", "noise": 0.0, "points": [{"macro_f1": 0.25}]}  # kept before there was a choice: 25
    assert annotate.table([*found, old]).splitlines() == [
        "| strategy | a fit every | 0% wrong |",
        "| :-- | --: | --: |",
        "| us | never | 0.500 (1) |",
        "| us | 5 | 0.625 (1) |",
        "| us | 25 | 0.250 (1) |",
    ]
    assert annotate.table(found, "macro_f1_fitted").splitlines()[2:] == [
        "| us | never | 0.750 (1) |",
        "| us | 5 | 0.625 (1) |",
    ]


@pytest.mark.slow
def test_a_fit_more_or_less_changes_the_run_and_not_its_last_fit(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(last_layer, "NUM_FEATURES", 16)
    annotate.main([*data, "--strategies=random", "--ratio=1", "--noise=0", "--seeds=1", "--fits=0,2"])
    path = tmp_path / "runs" / "runs.jsonl"
    never, often = (json.loads(line)["points"][-1] for line in path.read_text().splitlines())
    assert often["macro_f1"] == often["macro_f1_fitted"] == never["macro_f1_fitted"]  # random asks for the same rows
    assert "The same under a head fitted at the end" in capsys.readouterr().out
