"""Single-stage experiments: what is written, resumed and refused, and the tables by hand."""

import json

import numpy as np
import pytest

from configs.single_stage import get_config
from experiments import single_stage
from experiments.report import single_stage as single_stage_report
from experiments.single_stage import Selection, selection

K = 3


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Features with source probabilities; the last class is rare."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(K), [60, 30, 10]))
    x = 2.0 * np.eye(K, 5)[y] + rng.normal(size=(100, 5))
    path = tmp_path_factory.mktemp("data") / "features.npz"
    np.savez(path, x=x, y=y, source_probs=rng.dirichlet(np.ones(4), 100))
    changes = {"dataset": str(path), "num_classes": K, "test_rows": 30, "profile": "step", "minority_share": 0.0}
    changes |= {"selections": ("random", "ent-inv-div-bal", "kcenter"), "budgets": (5, 12), "seeds": 2}
    return (
        get_config("features").to_dict() | changes | {"schemes": ("cs-svm", "network"), "epochs": 3, "milestones": ()}
    )


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, single_stage.run(config, folder)


def test_a_run_writes_what_it_promises(config, finished):
    folder, records = finished
    assert len(records) == 2 * 2 + 3 * 2 * 2 * 2
    for record in records:
        name = record["strategy"].partition(":")[0]
        num = 70 if name == "full" else config["budgets"][record["cycle"]]
        assert record["num_labelled"] == sum(record["counts"]) == num
        assert len(set(record["selected"])) == (0 if name == "full" else num)
    chosen = {r["strategy"]: r["selected"] for r in records if (r["seed"], r["cycle"]) == (1, 1)}
    for name in config["selections"]:
        assert chosen[f"{name}:cs-svm"] == chosen[f"{name}:network"], "schemes learn from the same rows"
    text = (folder / "report.md").read_text()
    assert "| ent-inv-div-bal |" in text and "## Accuracy, network" in text
    assert (folder / "progress.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_run_goes_on(config, finished, tmp_path):
    folder, records = finished
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_text("".join(lines[:10]))
    assert single_stage.run(config, tmp_path, resume=True) == records
    assert (tmp_path / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match="is not empty"):
        single_stage.run(config, tmp_path)


def test_names():
    assert selection("random") == Selection("random", diversified=False, balancing=None, ensemble=False)
    assert selection("ls-inv-div-cen+ens") == Selection("largest", True, "centroid", True)
    assert selection("kcenter-bal") == Selection("core", False, "candidates", False)
    for name in ("core", "kcenter-div", "random-bal-div", "ent-inv+two", ""):
        with pytest.raises(ValueError, match="is not one of random, ent-inv"):
            selection(name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgets": (12, 5)}, "config.budgets: expected a rising tuple"),
        ({"budgets": (5, 71)}, "the smallest pool has 70"),
        ({"selections": ("random", "random")}, "config.selections: expected a tuple of different names"),
        ({"selections": ("entropy",)}, "config.selections: 'entropy' is not one of"),
        ({"selections": ("random+ens",)}, "needs the snapshots of config.source"),
        ({"schemes": ("switch",)}, "config.schemes: 'switch' is not one of network"),
        ({"balance_from": 0.0}, "config.balance_from: expected"),
        ({"ensemble": 0}, "config.ensemble: expected"),
        ({"dataset": "letter", "num_classes": 26}, "needs a source network, or source_probs_train"),
        ({"epochs": 0}, "config.epochs: expected an integer of at least 1"),
    ],
    ids=["budgets", "pool", "twice", "name", "ensemble", "scheme", "share", "snapshots", "no source", "epochs"],
)
def test_bad_input_is_named_before_anything_is_written(config, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        single_stage.run(config | changes, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def record(strategy, seed, place, recall, counts):
    base = {"strategy": strategy, "seed": seed, "cycle": place, "num_labelled": sum(counts), "accuracy": 0.5}
    return base | {"recall": recall, "counts": counts}


def test_tables_by_hand(tmp_path):
    """Full is 80 %. A class that was not found counts 0: 40 and 60 %, and a G_AL of -(2 + 1) / 2."""
    records = [record("full:svm", 0, 0, [0.8, 0.8], [9, 9])]
    records += [record("random:svm", 0, 0, [0.8, 0.9], [4, 0]), record("random:svm", 0, 1, [0.8, 0.4], [6, 2])]
    header, rows = single_stage_report.accuracy_table(records, "svm", {"profile": "transfer"})
    assert header == ["selection", "4 labels", "8 labels", "G_AL", "paper"]
    assert rows == [["random", "40.00", "60.00", "-1.500", "-0.792"], ["full", "80.00", "80.00", "0", "0"]]
    balanced = [r | {"strategy": "kcenter-bal:svm"} for r in records[1:]]
    assert single_stage_report.accuracy_table(balanced, "svm", {"profile": "step"})[1][0][-2:] == ["-", "-0.568"]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    text = single_stage_report.write_report(tmp_path).read_text()
    assert "| random | 1.00 | 2.00 | 1.50 |" in text and "| random | 1.000 | 0.500 | 0.750 |" in text
