"""Single-stage experiments: what is written, resumed and refused, and the tables by hand."""

import json
import shutil

import numpy as np
import pytest

from configs.single_stage import get_config
from experiments import single_stage
from experiments.plan.choices import Choice, parse

pytestmark = pytest.mark.slow

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
    """One lane has lost its last budget, one is not there at all; the others are not done again."""
    folder, records = finished
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    shutil.rmtree(run / "checkpoints" / "kcenter-seed1")
    shutil.rmtree(run / "checkpoints" / "random-seed0" / "1")
    for name, kept in (("kcenter-seed1", 0), ("random-seed0", 1)):
        path = run / "lanes" / f"{name}.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:kept]))
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:10]))
    (run / "timings.jsonl").unlink()
    assert single_stage.run(config, run, resume=True) == records
    assert (run / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    timed = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    again = {(row["strategy"], *row["seeds"], row["cycle"]) for row in timed if "train_cs-svm_s" in row}
    assert {("kcenter", 1, 0), ("kcenter", 1, 1), ("random", 0, 1)} <= again
    with pytest.raises(ValueError, match="is not empty"):
        single_stage.run(config, run)


def test_names():
    assert parse("random") == Choice("random", "random", diversified=False, balancing=None, ensemble=False)
    assert parse("ls-inv-div-cen+ens")[1:] == ("largest", True, "centroid", True)
    assert parse("kcenter-bal")[1:] == ("core", False, "candidates", False)
    for name in ("core", "kcenter-div", "random-bal-div", "ent-inv+two", ""):
        with pytest.raises(ValueError, match="is not one of random, ent-inv"):
            parse(name)


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
        ({"epochs": 0}, "config.epochs: expected an integer from 1 to 1,000,000"),
    ],
    ids=["budgets", "pool", "twice", "name", "ensemble", "scheme", "share", "snapshots", "no source", "epochs"],
)
def test_bad_input_is_named_before_anything_is_written(config, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        single_stage.run(config | changes, tmp_path / "run")
    assert not list(tmp_path.iterdir())
