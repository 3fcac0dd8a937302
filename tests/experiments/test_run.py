"""The driver: runs, resumes byte for byte, compiles once, refuses bad input before writing."""

import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import TINY, tiny

from experiments.learning import problem
from experiments.run import run

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
PAPER_FIELDS = ["strategy", "seed", "cycle", "num_labelled", "accuracy", "macro_f1", "cbi", "l1_score", "counts"]


def flags(workdir, *extra, **changes):
    fields = {**TINY, **changes}
    overrides = [f"--config.{name}={value}" for name, value in fields.items()]
    return [
        sys.executable,
        "-m",
        "experiments.run",
        "--config=configs/letter.py",
        f"--workdir={workdir}",
        *overrides,
        *extra,
    ]


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    records = run(tiny(), workdir)
    return workdir, records


def test_a_run_writes_what_it_promises(finished):
    workdir, records = finished
    assert {path.name for path in workdir.iterdir()} >= {
        "config.json", "environment.json", "metrics.jsonl", "timings.jsonl", "checkpoints", "report.md", "curves.png",
    }  # fmt: skip
    assert [(r["strategy"], r["seed"], r["cycle"]) for r in records] == [
        (strategy, seed, cycle) for strategy in TINY["strategies"] for seed in range(2) for cycle in range(3)
    ]
    assert json.loads((workdir / "environment.json").read_text())["jax"] == jax.__version__
    for record in records:
        assert set(PAPER_FIELDS) <= record.keys()
        assert record["num_labelled"] == sum(record["counts"]) == 26 + 4 * record["cycle"]
        assert not any(name.endswith("_s") for name in record), "times belong in timings.jsonl"
        assert len(record["selected"]) == (4 if record["cycle"] < 2 else 0)


def test_selected_rows_explain_the_counts(finished):
    _, records = finished
    labels = problem.load_dataset(FrozenConfigDict(tiny())).y_train
    for strategy in TINY["strategies"]:
        for seed in range(2):
            own = [r for r in records if (r["strategy"], r["seed"]) == (strategy, seed)]
            picked = [row for record in own for row in record["selected"]]
            assert len(set(picked)) == len(picked)
            for before, after in itertools.pairwise(own):
                gained = np.bincount(labels[before["selected"]], minlength=26)
                np.testing.assert_array_equal(np.array(before["counts"]) + gained, after["counts"])


def test_seeds_share_their_start_across_strategies(finished):
    _, records = finished
    first = [r for r in records if r["cycle"] == 0]
    by_seed = {seed: [r["counts"] for r in first if r["seed"] == seed] for seed in range(2)}
    assert by_seed[0][0] == by_seed[0][1] and by_seed[1][0] == by_seed[1][1] and by_seed[0] != by_seed[1]


TWICE = pytest.param((1, 5), marks=pytest.mark.exhaustive)  # tests/soak kills at any moment


@pytest.mark.parametrize("waits", [(0,), TWICE], ids=["before the first cycle", "twice, in the middle"])
def test_killed_and_resumed_is_byte_identical(finished, tmp_path, waits):
    """Kills the driver once `timings.jsonl` has so many lines; its workers must go with it."""
    workdir = tmp_path / "killed"
    for wanted in waits:
        process = subprocess.Popen(
            flags(workdir, "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(lines(workdir / "timings.jsonl")) < wanted or not (workdir / "config.json").exists():
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(flags(workdir, "--resume"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()
    timed = [json.loads(line) for line in lines(workdir / "timings.jsonl")]
    done = [(row["strategy"], *row["seeds"], row["cycle"]) for row in timed]
    assert len(set(done)) == len(done), "a finished cycle was done again"


def test_lanes_under_vmap_agree_with_lanes_alone(finished, tmp_path):
    together = run(tiny(parallel="vmap"), tmp_path / "vmap")
    for a, b in zip(finished[1], together, strict=True):
        assert (a["strategy"], a["seed"], a["cycle"]) == (b["strategy"], b["seed"], b["cycle"])
        if a["cycle"] == 0:
            assert a["counts"] == b["counts"]
            np.testing.assert_allclose(a["accuracy"], b["accuracy"], atol=2e-3)
            assert len(set(a["selected"]) & set(b["selected"])) >= 3
    names = {path.name for path in (tmp_path / "vmap" / "checkpoints").iterdir()}
    assert names == {"us-seed0-1", "us-alfamous-seed0-1"}
    with pytest.raises(ValueError, match="was written under another config.parallel"):
        _resume_as(tmp_path / "vmap", parallel="processes")


def _resume_as(workdir, **changes):
    config = tiny(**changes)
    (workdir / "config.json").write_text(json.dumps(config))
    run(config, workdir, resume=True)


def test_existing_workdirs_are_left_alone(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    with pytest.raises(ValueError, match="is not empty; --resume goes on with its run, --overwrite starts again"):
        run(tiny(), workdir)
    with pytest.raises(ValueError, match="config.lam: the run in .* has 0.1, now it is 0.5"):
        run(tiny(lam=0.5), workdir, resume=True)
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*") if path.name != ".lock"} == {
        path: stamp for path, stamp in before.items() if path.name != ".lock"
    }
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(ValueError, match="thesis.tex|is not empty"):
            run(tiny(), other, **how)
    assert (other / "thesis.tex").read_text() == "years of work"


def test_resuming_a_finished_run_changes_nothing(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    assert run(tiny(), workdir, resume=True) == finished[1]
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()
    assert lines(workdir / "timings.jsonl") == lines(finished[0] / "timings.jsonl")


def test_corrupt_checkpoint_is_named_and_earlier_ones_serve(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    latest = workdir / "checkpoints" / "us-seed1" / "2"
    for path in latest.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"checkpoint {latest} cannot be read .*; delete it to go on"):
        run(tiny(), workdir, resume=True)
    shutil.rmtree(latest)
    run(tiny(), workdir, resume=True)
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()


def test_overwrite_starts_again(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    records = run(tiny(cycles=0, seeds=1), workdir, overwrite=True)
    assert [(r["strategy"], r["seed"], r["cycle"]) for r in records] == [("us", 0, 0), ("us-alfamous", 0, 0)]


def test_two_runs_cannot_share_a_workdir(finished, tmp_path):
    import fcntl

    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    with (workdir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process is running there"):
            run(tiny(), workdir, resume=True)


def test_training_that_diverges_says_where(tmp_path):
    with pytest.raises(ValueError, match="us, seed 0, cycle 0: the training loss is not finite; lower config.learning"):
        run(tiny(learning_rate=1e30, cycles=0, seeds=1, strategies=("us",)), tmp_path / "run")


COMMAND_LINES = {
    "typo": (["--config.lamb=1"], 'error: --config has no field .lamb.. Did you mean "lam"'),
    "wrong type": (["--config.cycles=many"], "error: flag --config.cycles=many: invalid literal"),
    "no such flag": (["--resum"], "error: Unknown command line flag 'resum'. Did you mean: resume"),
    "no such file": (["--config=configs/lettr.py"], "No such file or directory: 'configs/lettr.py'"),
    "no such mode": (
        ["--config=configs/letter.py:papr"],
        "mode must be 'paper', 'smoke', 'batch' or 'refit', got 'papr'",
    ),
    "stray word": (["configs/letter.py"], "error: unexpected argument 'configs/letter.py'"),
    "budget": (["--config.budget=9000"], "error: config.budget: 26 initial labels and 2 cycles of 9000"),
}


SELDOM = dict.fromkeys(("wrong type", "no such file", "no such flag", "no such mode"), pytest.mark.exhaustive)


@pytest.mark.parametrize(
    "extra, message", [pytest.param(*case, id=name, marks=SELDOM.get(name, ())) for name, case in COMMAND_LINES.items()]
)
def test_command_line_errors_are_one_line(tmp_path, extra, message):
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(flags(tmp_path / "run", *extra), cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode != 0 and re.search(message, done.stderr) and not (tmp_path / "run").exists()
    # jaxlib 0.10.0 logs of kept programs which of the machine's features it does not know.
    said = [line for line in done.stderr.strip().splitlines() if "cpu_aot_loader.cc" not in line]
    assert len(said) == 1, done.stderr
