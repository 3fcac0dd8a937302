"""What cannot work is refused before anything is written: engines, resources; where compiled programs are kept."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from alfamous_jax import compile_cache
from configs.letter import get_config
from experiments.engines import choose, slurm
from experiments.engines.choose import Settings
from experiments.run import run

ROOT = pathlib.Path(__file__).parents[3]
TINY = {"epochs": 2, "width": 8, "depth": 1, "num_features": 16, "initial": 26, "budget": 4, "cycles": 2, "seeds": 2}
TINY |= {"strategies": ("us",), "workers": 1}


def tiny(**changes):
    return {**get_config().to_dict(), **TINY, **changes}


@pytest.mark.slow
def test_compiled_programs_are_kept_where_the_flag_says(tmp_path):
    command = [sys.executable, "-m", "experiments.run", "--config=configs/letter.py", f"--workdir={tmp_path / 'run'}"]
    command += [f"--config.{name}={value}" for name, value in (TINY | {"cycles": 0, "seeds": 1}).items()]
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    env |= {"ALFAMOUS_COMPILE_CACHE": str(tmp_path / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    (machine,) = (tmp_path / "compiled").iterdir()
    assert machine.name == compile_cache._machine()
    assert any(path.name.startswith("jit_alone") for path in machine.glob("*-cache")), "the worker wrote nothing"


@pytest.mark.parametrize(("backend", "expected"), [("cpu", 3), ("gpu", 1), ("tpu", 1)])
def test_one_process_for_each_core_but_not_on_one_card(monkeypatch, backend, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5})
    assert choose.room() == expected


def test_where_compiled_programs_are_kept(monkeypatch):
    for name in ("ALFAMOUS_COMPILE_CACHE", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert compile_cache.default_folder() == "/cache/alfamous_jax/xla"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/jax")
    assert compile_cache.default_folder() == "", "JAX's own setting is overruled"
    monkeypatch.setenv("ALFAMOUS_COMPILE_CACHE", "/own")
    assert compile_cache.default_folder() == "/own"


def test_no_folder_leaves_jax_as_it_is():
    before = jax.config.jax_compilation_cache_dir
    compile_cache.use("")
    assert jax.config.jax_compilation_cache_dir == before


REFUSED = {
    "engine": (Settings(engine="cloud"), "--engine: expected one of local, ray, slurm, got 'cloud'"),
    "ray without Ray": (Settings(ray_address="head:6379"), "--ray_address: is for --engine=ray, got --engine=local"),
    "no such cluster": (
        Settings(engine="ray", ray_address="localhost:1"),
        "--ray_address: nothing answers at 'localhost:1'",
    ),
    "no SLURM": (Settings(engine="slurm"), "--engine=slurm: no sbatch on this machine"),
    "slurm without SLURM": (Settings(slurm="time=3"), "--slurm: is for --engine=slurm, got --engine=local"),
}


@pytest.mark.parametrize("settings, message", REFUSED.values(), ids=REFUSED)
def test_settings_that_cannot_work_write_nothing(tmp_path, settings, message, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for engine in ("ray", "slurm"):
        monkeypatch.setitem(choose.PACKAGES, engine, "json")  # installed everywhere
    with pytest.raises(ValueError, match=message):
        run(tiny(), tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(choose.PACKAGES, "ray", "no_such_package")
    with pytest.raises(ValueError, match=r"--engine=ray: needs no_such_package, .*; pip install -e '.\[ray\]'"):
        choose.check(Settings(engine="ray"))


BAD_SLURM = {
    "memory=4": "--slurm: 'memory' is not one of partition, account, qos, constraint, time, mem_gb, cpus, gpus",
    "time=long": "--slurm: time: expected a number, got 'long'",
    "gpus=0": "--slurm: gpus: expected a number above 0",
    "partition=": "--slurm: partition: expected a name",
    "cluster=moon": "--slurm: cluster: expected slurm or local, got 'moon'",
}


@pytest.mark.parametrize("text, message", BAD_SLURM.items(), ids=BAD_SLURM)
def test_bad_resources_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        slurm.parameters(text)


def test_resources():
    assert slurm.parameters("partition=gpu, time=90,mem_gb=1.5") == {
        "partition": "gpu", "time": 90, "mem_gb": 1.5
    }  # fmt: skip
    assert slurm.parameters("") == {}


def test_jobs_that_were_left_behind_are_cancelled(tmp_path, monkeypatch):
    scancel = tmp_path / "bin" / "scancel"
    scancel.parent.mkdir()
    scancel.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "cancelled"}\n')
    scancel.chmod(0o755)
    monkeypatch.setenv("PATH", str(scancel.parent), prepend=os.pathsep)
    slurm.cancel_left(tmp_path)
    assert not (tmp_path / "cancelled").exists()
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "jobs.txt").write_text("7_0\n7_1\n")
    slurm.cancel_left(tmp_path)
    assert (tmp_path / "cancelled").read_text() == "7_0 7_1\n"
    assert not (tmp_path / "slurm" / "jobs.txt").exists()
