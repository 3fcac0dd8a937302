"""The bench command runs; how fast is for the command to say, not for a test."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def bench(*args):
    command = [sys.executable, "-m", "experiments.bench", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_cycle(tmp_path):
    path = tmp_path / "bench.json"
    shown = bench("cycle", "--rows=300", "--features=32", "--classes=4", "--budget=5", f"--json={path}")
    result = json.loads(path.read_text())
    assert result["shape"] == {"rows": 300, "features": 32, "classes": 4, "budget": 5}
    assert result["bandwidth_GBps"] > 0
    assert len(result["rows"]) == 4
    for name, row in result["rows"].items():
        assert name in shown
        assert 0 < row["low_s"] <= row["median_s"] <= row["high_s"] and row["compile_s"] > 0
    assert result["rows"]["bare Phi @ v"]["ratio_to_matvec"] == 1


def test_diversity(tmp_path):
    path = tmp_path / "bench.json"
    bench("diversity", "--rows=300", "--features=32", "--classes=4", "--budget=5", f"--json={path}")
    rows = json.loads(path.read_text())["rows"]
    assert rows.keys() == {"k-center", "k-center, balanced", "BADGE"}
    assert all(row["ratio_to_matvec"] > 0 and row["median_s"] > 0 for row in rows.values())


def test_vabal(tmp_path):
    path = tmp_path / "bench.json"
    bench("vabal", "--rows=300", "--features=32", "--classes=4", "--draws=3", "--repeats=2", f"--json={path}")
    result = json.loads(path.read_text())
    assert result["rows"].keys() == {"an epoch of training", "scores of all rows", "its products alone"}
    assert result["peak_host_memory_GB"] > 0 and result["rows"]["scores of all rows"]["ratio_to_products"] > 0


def test_selector(tmp_path):
    path = tmp_path / "bench.json"
    bench("selector", "--sizes=XS", "--repeats=1", f"--json={path}")
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 6
    for row in rows.values():
        assert row["median_s"] > 0 and row["highs_s"] > 0 and row["speedup"] == row["highs_s"] / row["median_s"]
        assert 0 <= row["bound_error"] < 1e-5
        assert 0 <= row["gap"] <= min(row["greedy_gap"], row["top_utility_gap"], row["rounded_gap"]) + 1e-6


def test_needs_jax_and_numpy_alone():
    heavy = ["flax", "optax", "ml_collections", "rich", "orbax"]
    code = f"import sys, experiments.bench; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
