"""The bench command: what it counts, what it compares, what it refuses; how fast is for the command to say."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn import legend

from experiments.bench import __main__ as bench
from experiments.bench import children, compare, drift, jobs, network, roofline
from experiments.bench.roofline import Limits, Work

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
TINY = ("--rows=300", "--features=32", "--classes=4", "--budget=5", "--repeats=2")
WITHOUT = ("ml_collections", "matplotlib")  # what only the driver and its figures need


def command(*args, code=0, without=()):
    program = f"import sys; sys.modules.update(dict.fromkeys({without!r})); "
    program += "from experiments.bench import __main__ as bench; sys.argv[0] = 'bench'; bench.main()"
    done = subprocess.run([sys.executable, "-c", program, *args], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    names = [name for name in bench.JOBS if name not in ("train", "experiment")]
    shown = command(*names, *TINY, f"--json={path}", without=WITHOUT)
    return json.loads(path.read_text()), shown


def test_every_row_has_its_times_and_its_limit(result):
    found, shown = result
    assert found["shape"] == {"rows": 300, "features": 32, "classes": 4, "budget": 5}
    assert found["environment"]["jax"] == jax.__version__ and found["bandwidth_GBps"] > 0
    assert {name.partition(":")[0] for name in found["rows"]} == set(bench.JOBS) - {"train", "experiment"}
    for name, row in found["rows"].items():
        assert name in shown
        assert 0 < row["low_s"] <= row["median_s"] <= row["high_s"] and row["compile_s"] > 0 and row["first_s"] > 0
        assert row["fraction"] == row["limit_s"] / row["median_s"]
        assert row["limit_s"] == pytest.approx(
            max(row["bytes"] / row["bandwidth_GBps"], row["flops"] / row["rate_GFLOPs"]) / 1e9
        )


def test_counts_by_hand_are_those_of_the_programs():
    """What a program of one unit takes and gives, in bytes, and the operations of its products: within 8 %.

    XLA's own counts are printed beside them and compared with nothing: they hold every pass over short arrays.
    """
    args, found = argparse.Namespace(rows=4000, features=128, classes=4, budget=5, repeats=1), {}
    for name in ("cycle", "update", "laplace", "badge"):
        for job in bench.JOBS[name](args):
            function, arrays = job.once
            leaves = jax.tree.leaves((arrays, jax.eval_shape(function, *arrays)))
            moved = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
            computed = network.products(jax.make_jaxpr(function)(*arrays).jaxpr)
            found[job.name] = moved / job.work.bytes, computed / job.work.flops
    assert len(found) == 6
    moved, computed = (dict(zip(found, ratios, strict=True)) for ratios in zip(*found.values(), strict=True))
    assert {name: ratio for name, ratio in moved.items() if not 0.92 < ratio < 1.08} == {}
    of_bald = computed.pop("label, bald")  # whose work on the classes of a row, gains among it, counts as other work
    assert 1 < of_bald < 1.35
    assert {name: ratio for name, ratio in computed.items() if not 0.92 < ratio < 1.08} == {}


@pytest.mark.exhaustive
def test_networks_and_the_whole_cycle(tmp_path):
    path = tmp_path / "bench.json"
    command("train", "experiment", *TINY, f"--json={path}", without=WITHOUT)
    rows = json.loads(path.read_text())["rows"]
    stages = {name: row for name, row in rows.items() if name.startswith("experiment")}
    assert len(stages) == 6 and sum(row["share"] for row in stages.values()) == pytest.approx(1)
    for name in network.NETWORKS:
        row = rows[f"train: step, {name}"]
        assert 0.3 < row["xla_flops"] / row["flops"] < 3


def test_work_of_a_label_by_hand():
    """N = 2, D = 3, K = 5: Phi 6, logits and variances 12 in and 12 out, covariance 9, two flags, gains twice."""
    assert jobs.label_work(2, 3, 5) == Work(4 * (6 + 24 + 9) + 2, 12 + 24 + 18 + 2 * 20)


def test_products_of_a_program_by_hand():
    def program(x, v):
        return jax.lax.scan(lambda carry, _: (x @ carry, None), v, length=7)[0]

    counted = network.products(jax.make_jaxpr(jax.jit(program))(jnp.ones((4, 4)), jnp.ones(4)).jaxpr)
    assert counted == 7 * 2 * 4 * 4
    images, kernel = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 5))

    def convolve(x, k):
        return jax.lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert network.products(jax.make_jaxpr(convolve)(images, kernel).jaxpr) == 2 * 2 * 8 * 8 * 5 * 3 * 3 * 3


@pytest.mark.parametrize(
    ("work", "limit", "bound"),
    [(Work(100, 10), 1.0, "memory"), (Work(10, 1000), 1.0, "compute"), (Work(5, 50), 0.05, "overhead")],
)
def test_what_binds(work, limit, bound):
    row = roofline.against({"median_s": 2.0 if bound != "overhead" else 1.0}, work, Limits(100.0, 1000.0))
    assert (row["limit_s"], row["bound"]) == (limit, bound)
    assert row["fraction"] == (0.05 if bound == "overhead" else 0.5)


def test_the_plot(tmp_path, drawn):
    """100 operations on 10 bytes in a microsecond are .1 GFLOP/s at 10 operations a byte; limits 1 GB/s, 2 GFLOP/s."""
    slow, fast = ({"median_s": s, **roofline.against({"median_s": s}, Work(10, 100), Limits(1e9, 2e9))} for s in (
        1e-6, 5e-7))  # fmt: skip
    roofline.draw({"a": slow, "b": fast, "untimed": {}}, tmp_path / "roofline.png")
    (axis,) = drawn[0].axes
    points = [line.get_xydata().tolist() for line in axis.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points, [[[10, 0.1]], [[10, 0.2]]])
    roof = axis.lines[0]
    np.testing.assert_allclose(roof.get_ydata(), np.minimum(roof.get_xdata(), 2.0))
    assert legend(drawn[0])[2:] == ["1  a: 5%", "2  b: 10%"] and axis.get_xlabel() == "operations a byte"
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")


class TestCompare:
    def results(self):
        row = {"low_s": 0.9, "median_s": 1.0, "high_s": 1.1, "fraction": 0.5}
        slower = {name: 2 * value if name.endswith("_s") else value for name, value in row.items()}
        first = {"environment": {"jax": "1"}, "shape": {"rows": 1}, "rows": {"a": row, "b": row, "only": row}}
        second = {"environment": {"jax": "2"}, "shape": {"rows": 1}, "rows": {"a": row, "b": slower}}
        return first, second

    def test_rows_apart_and_rows_alike(self):
        lines, rows = compare.compare(*self.results())
        assert lines == ["jax: 1 | 2", "only in one: only"]
        assert rows["b"]["ratio"] == 2 and rows["b"]["differs"] and not rows["a"]["differs"]

    def test_shown(self, tmp_path):
        for name, result in zip("ab", self.results(), strict=True):
            (tmp_path / f"{name}.json").write_text(json.dumps(result))
        shown = command("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
        assert "same" in shown and "2.00" in shown and "only in one: only" in shown

    def test_other_shapes(self):
        first, second = self.results()
        with pytest.raises(ValueError, match="different shapes"):
            compare.compare(first, second | {"shape": {"rows": 2}})

    def test_what_is_no_result(self, tmp_path):
        with pytest.raises(ValueError, match=r"none.json: no such file"):
            compare.load(str(tmp_path / "none.json"))
        (tmp_path / "other.json").write_text("{}")
        with pytest.raises(ValueError, match=r"other.json: not a result of experiments.bench"):
            compare.load(str(tmp_path / "other.json"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["knn"], "WHAT: expected cycle, .* got 'knn'"),
        (["cycle", "lanes"], "WHAT: lanes goes alone"),
        (["compare", "a.json"], "compare: expected two files, got 1"),
        (["cycle", "--features=0"], "--features: expected an integer of at least 1, got 0"),
        (["cycle", "--rows=100"], "--rows: expected at least twice --budget 100, got 100"),
        (["cycle", "--json=nowhere/a.json"], "nowhere/a.json: no folder nowhere"),
    ],
)
def test_refused(args, message, capsys):
    parser = bench._parser()
    with pytest.raises(SystemExit):
        bench._check(parser, parser.parse_args(args))
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.exhaustive
def test_vabal(tmp_path):
    path = tmp_path / "bench.json"
    command("vabal", *TINY, "--draws=3", f"--json={path}")
    result = json.loads(path.read_text())
    assert result["rows"].keys() == {"an epoch of training", "scores of all rows", "its products alone"}
    assert result["peak_host_memory_GB"] > 0 and result["rows"]["scores of all rows"]["ratio_to_products"] > 0


@pytest.mark.exhaustive
def test_highs(tmp_path):
    path = tmp_path / "bench.json"
    command("highs", "--sizes=XS", "--repeats=1", f"--json={path}")
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 6
    for row in rows.values():
        assert row["median_s"] > 0 and row["highs_s"] > 0 and row["speedup"] == row["highs_s"] / row["median_s"]
        assert 0 <= row["bound_error"] < 1e-5
        assert 0 <= row["gap"] <= min(row["greedy_gap"], row["top_utility_gap"], row["rounded_gap"]) + 1e-6


@pytest.mark.exhaustive
def test_export(tmp_path):
    path = tmp_path / "bench.json"
    command("export", *TINY, f"--json={path}")
    rows = json.loads(path.read_text())["rows"]
    assert rows.keys() == {"live", "artefact"}
    for row in rows.values():
        phases = row["import_s"] + row["trace_s"] + row["compile_s"] + row["call_s"]
        assert 0 < phases < row["total_s"]


def test_the_loop_in_pytorch_starts_beside_python_s_own_modules():
    """It runs under another interpreter, by its path; here it stops where PyTorch is wanted, or prints its seconds."""
    script = ROOT / "experiments" / "bench" / "others" / "training.py"
    done = subprocess.run([sys.executable, str(script), "torch", "mlp"], capture_output=True, text=True)
    assert done.stderr.strip().endswith("No module named 'torch'") or float(done.stdout) > 0


TORCH = {
    "no such interpreter": ("nowhere/python", "the measurement of mlp in torch cannot be started"),
    "no PyTorch": (
        sys.executable,
        "the measurement of mlp in torch failed (ModuleNotFoundError: No module named 'torch')",
    ),
}


@pytest.mark.parametrize("python, message", TORCH.values(), ids=TORCH)
def test_an_interpreter_without_pytorch_is_named(monkeypatch, capsys, python, message):
    """JAX's own time is not taken here: its command is as short as can be."""
    real = bench.ways.children.outputs
    monkeypatch.setattr(bench.ways.children, "outputs", lambda commands, what: (
        ["1.0"] if what.endswith("jax") else real(commands, what)))  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["bench", "training", "--torch", python])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert str(ended.value.code).startswith(f"error: {message}")


def test_children_end_with_the_one_that_wants_them():
    """Of two that run side by side one fails: the other is not left behind."""
    loops, fails = (
        [sys.executable, "-c", "import time; time.sleep(60)"],
        [sys.executable, "-c", "raise ValueError('x')"],
    )
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"the measurement of y failed \(ValueError: x\)"):
        children.outputs([fails, loops], "y")
    assert time.monotonic() - started < 30


def test_drift_of_float32(capsys):
    """Small and of the size of the error at a low condition, 1 or more where the covariance is lost."""
    (ordinary,) = drift.measure(1.0, [50], 8)
    lost = drift.measure(1e5, [20, 50], 8)
    assert ordinary["error"] < 1e-5 and ordinary["drift"] < 1e-5 and ordinary["definite"]
    assert [row["labels"] for row in lost] == [20, 50]
    assert all(row["drift"] > 0.3 and row["error"] > 0.3 and row["recomputed"] < 1e-2 for row in lost)
    with mock.patch("sys.argv", ["drift", "--scales=1", "--labels=5", "--features=8"]):
        drift.main()
    table = capsys.readouterr().out.splitlines()
    assert table[0].count("|") == table[1].count("|") == table[2].count("|") and table[2].startswith(
        "| 1 | 5 | 2e+00 |"
    )


@pytest.mark.parametrize("argument", ["--scales=0", "--scales=a", "--labels=5,5", "--labels=0", "--features=7"])
def test_drift_refuses(argument, capsys):
    with mock.patch("sys.argv", ["drift", argument]), pytest.raises(SystemExit):
        drift.main()
    assert "expected" in capsys.readouterr().err
