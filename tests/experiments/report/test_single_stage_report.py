"""The report of a single-stage run, by hand, and its means against those of the library."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import metrics
from experiments.report import page, single_stage
from experiments.report.runs import of_records


def record(strategy, seed, place, recall, counts):
    base = {"strategy": strategy, "seed": seed, "cycle": place, "num_labelled": sum(counts), "accuracy": 0.5}
    return base | {"recall": recall, "counts": counts}


FULL = record("full:svm", 0, 0, [0.8, 0.8], [9, 9])
RECORDS = [FULL, record("random:svm", 0, 0, [0.8, 0.9], [4, 0]), record("random:svm", 0, 1, [0.8, 0.4], [6, 2])]


def test_tables_by_hand():
    """Full is 80 %. A class that was not found counts 0: 40 and 60 %, and a G_AL of -(2 + 1) / 2."""
    header, rows = single_stage.accuracy_table(of_records(RECORDS, config={"profile": "transfer"}), "svm")
    assert header == ["selection", "4 labels", "8 labels", "G_AL", "paper"]
    assert rows == [["random", "40.00", "60.00", "-1.500", "-0.792"], ["full", "80.00", "80.00", "0", "0"]]
    balanced = of_records([r | {"strategy": "kcenter-bal:svm"} for r in RECORDS[1:]], config={"profile": "step"})
    assert single_stage.accuracy_table(balanced, "svm")[1][0][-2:] == ["-", "-0.568"]
    balanced = balanced._replace(config={"profile": "transfer", "source_ratio": 0.0})
    assert single_stage.accuracy_table(balanced, "svm")[1][0][-1] == "-0.568", "a balanced subset, Table 9"
    imbalanced = balanced._replace(config={"profile": "transfer", "source_ratio": 0.813})
    assert single_stage.accuracy_table(imbalanced, "svm")[1][0][-1] == "-0.640", "Table 7"


def test_one_command_reports_both_kinds_of_run(tmp_path, capsys):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
    (tmp_path / "config.json").write_text(json.dumps({"selections": ["random"], "dataset": "mnist"}))
    assert page.main([str(tmp_path)]) == 0 and capsys.readouterr().out == f"{tmp_path / 'report.md'}\n"
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Single-stage selection on mnist\n")
    assert "| random | 1.00 | 2.00 | 1.50 |" in text and "| random | 1.000 | 0.500 | 0.750 |" in text
    assert (tmp_path / "progress.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "config.json").write_text(json.dumps({"dataset": "mnist"}))
    assert page.write_report(tmp_path).read_text().startswith("# Active learning on mnist\n")


def test_run_that_has_only_the_whole_pool_so_far(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps(FULL) + "\n")
    (tmp_path / "config.json").write_text('{"selections": ["random"]}')
    assert "| full | 0 | 0 |" in page.write_report(tmp_path).read_text()
    assert not (tmp_path / "progress.png").exists()


@pytest.mark.parametrize("num_classes", [2, 7, 100])
def test_means_are_those_of_the_library(num_classes):
    rng = np.random.default_rng(num_classes)
    recall, counts = rng.random((3, num_classes)), rng.integers(0, 3, (3, num_classes))
    counts[:, 0] = 1
    records = [record("a:svm", 0, i, recall[i].tolist(), counts[i].tolist()) for i in range(3)]
    found = single_stage.found_accuracy(of_records(records).lanes["a:svm"])[0]
    expected = [
        100 * float(metrics.found_accuracy(jnp.array(r), jnp.array(c))) for r, c in zip(recall, counts, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    library = float(metrics.g_al(jnp.array(found), jnp.full(3, 90.0)))
    assert single_stage.g_al(found, 90.0) == pytest.approx(library, rel=1e-5)
    assert np.isnan(single_stage.g_al(np.array([50.0, np.nan]), 90.0))


def test_recall_of_a_class_without_test_rows_counts_nothing():
    run = of_records([record("a:svm", 0, 0, [0.8, None], [1, 1]), record("a:svm", 1, 0, [0.6, 0.2], [1, 1])])
    np.testing.assert_allclose(single_stage.found_accuracy(run.lanes["a:svm"]), [[40.0], [40.0]])
