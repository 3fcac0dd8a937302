"""Runs whose pool is split over the devices of two processes: as on one device, and after one of them was killed."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from alfamous_jax import datasets
from configs.features import get_config
from experiments.engines import distributed
from experiments.learning import problem
from experiments.learning.check import check
from experiments.run import run

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
SMALL = {"epochs": 2, "num_features": 16, "num_classes": 3, "initial": 9, "budget": 4, "cycles": 3, "seeds": 1}
SMALL |= {"strategies": ("us-alfamous",), "minority_ratio": 0.5, "dropout": 0.0, "workers": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pool of 203 rows, which four devices cannot share equally; they are read in place."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 253, p=[0.6, 0.3, 0.1])
    rows = (rng.normal(size=(3, 6))[labels] + rng.normal(size=(253, 6))).astype(np.float32)
    path = tmp_path_factory.mktemp("data")
    for part, start, stop in (("train", 0, 203), ("test", 203, 253)):
        np.save(path / f"x_{part}.npy", rows[start:stop])
        np.save(path / f"y_{part}.npy", labels[start:stop])
    return f"{path}/"


def start(changes, workdir, port, process):
    fields = {**SMALL, **changes, "parallel": "pool"}
    command = [sys.executable, "-m", "experiments.run", "--config=configs/features.py:sgd", "--resume"]
    command += [f"--config.{name}={value}" for name, value in fields.items()]
    command += [f"--workdir={workdir}", f"--distributed=localhost:{port},2,{process}"]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, **pipes)


def free_port():
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


def as_on_one_device(changes, folder):
    """Lets two processes do a run, or go on with it, and holds it against that of this process alone."""
    port = free_port()
    processes = [start(changes, folder / "run", port, i) for i in range(2)]
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert "us-alfamous" in printed[0] and "us-alfamous" not in printed[1]
    alone = run({**get_config("sgd").to_dict(), **SMALL, **changes}, folder / "alone")
    records = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    for ours, theirs in zip(records, alone, strict=True):
        assert ours["selected"] == theirs["selected"] and ours["counts"] == theirs["counts"]
        for name in ("accuracy", "macro_f1", "ed_diversity"):
            assert ours[name] == pytest.approx(theirs[name], abs=1e-4)
    timed = [json.loads(line) for line in (folder / "run" / "timings.jsonl").read_text().splitlines()]
    assert len({(row["strategy"], row["cycle"]) for row in timed}) == len(timed) == len(alone)


def test_two_processes_do_as_one_device(folder, tmp_path):
    as_on_one_device({"dataset": folder, "cycles": 2}, tmp_path)


@pytest.mark.exhaustive
def test_two_processes_rank_as_one_device(folder, tmp_path):
    names = ("us-alfamous", "galaxy", "galaxy-fbu", "direct", "falcun", "base", "maxherding-cb", "uherding")
    as_on_one_device({"dataset": folder, "cycles": 2, "strategies": names}, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("strategies", [("us-alfamous",), ("us-alfamous", "kcenter-cb")], ids=len)
def test_a_lost_process_ends_all_and_the_run_goes_on(folder, strategies, tmp_path):
    changes, port = {"dataset": folder, "strategies": strategies}, free_port()
    processes = [start(changes, tmp_path / "run", port, i) for i in range(2)]
    timings = tmp_path / "run" / "timings.jsonl"
    while not (timings.exists() and len(timings.read_text().splitlines()) >= 2):
        assert all(process.poll() is None for process in processes), processes[0].communicate()
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGKILL)
    _, shown = processes[0].communicate(timeout=60)
    assert processes[0].returncode != 0 and "error: a process of this run was lost" in shown
    assert "error: a process of this run was lost" in processes[1].communicate()[1]
    as_on_one_device(changes, tmp_path)


def test_a_folder_is_mapped_and_left_as_it_is(folder):
    data = datasets.load(folder, 3)
    assert isinstance(data.x_train, np.memmap) and data.x_train.shape == (203, 6) and data.scaling == "none"
    assert datasets.standardize(data)[0] is data.x_train


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x_test", None, "no file .*x_test.npy"),
        ("y_train", np.array(["a"] * 203), "must be of one kind"),
        ("x_train", np.array([{}] * 203), "x_train.npy: not a readable .npy file"),
        ("x_train", np.zeros((203, 5)), "train rows have shape"),
        ("x_test", np.full((50, 6), np.nan), "x has 300 NaN"),
    ],
)
def test_a_folder_that_is_wrong(folder, tmp_path, name, value, message):
    for path in pathlib.Path(folder).iterdir():
        if path.stem != name:
            (tmp_path / path.name).symlink_to(path)
        elif value is not None:
            np.save(tmp_path / path.name, value)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        datasets.load(f"{tmp_path}/", 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"strategies": ("batchbald",)},
            "config.parallel: 'pool' takes strategies of random, us, .*, kcenter, badge",
        ),
        ({"strategies": ("us:svm",)}, "config.parallel: 'pool' trains networks"),
        ({"strategies": ("us-cb",), "lam": "auto"}, "config.lam: 'auto' needs the whole pool"),
        ({"pool_subset": 50}, "config.pool_subset: goes with a pool on one device"),
        ({"parallel": "device"}, "config.parallel: expected 'auto', 'processes', 'vmap' or 'pool'"),
    ],
)
def test_what_a_split_pool_cannot_do(changes, message):
    with pytest.raises(ValueError, match=message):
        check({**get_config("sgd").to_dict(), **SMALL, "parallel": "pool", **changes})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("here", "expected auto or HOST:PORT,NUM,ID, got 'here'"),
        ("host:1,two,0", "expected auto"),
        ("host,2,0", "expected auto"),
        ("host:1,2,2", "ID must lie in 0..1, got 2"),
    ],
)
def test_what_distributed_refuses(how, message):
    with pytest.raises(ValueError, match=message):
        distributed.start(how, "pool")
    with pytest.raises(ValueError, match="config.parallel must be 'pool', got 'auto'"):
        distributed.start(how, "auto")


def test_rows_of_an_array_in_an_order_of_their_own():
    mesh = jax.make_mesh((1,), ("pool",))
    rows, real = datasets.split_rows(np.arange(12).reshape(6, 2), mesh, "pool", np.array([4, 0, 5]), np.float32)
    np.testing.assert_array_equal(rows, [[8, 9], [0, 1], [10, 11]])
    assert rows.dtype == np.float32 and real.tolist() == [True] * 3


def test_arrays_of_a_folder_are_as_those_of_a_file(folder, tmp_path):
    parts = {path.stem: np.load(path) for path in pathlib.Path(folder).iterdir()}
    np.savez(tmp_path / "same.npz", **parts)
    config = {**get_config("sgd").to_dict(), **SMALL, "scaling": "none"}
    both = [
        problem.load_arrays(problem.FrozenConfigDict({**config, "dataset": name}))
        for name in (folder, str(tmp_path / "same.npz"))
    ]
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a, b)
