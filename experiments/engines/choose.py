"""Where the units of a run are done: processes of this machine, a Ray cluster, or SLURM.

An engine is a generator: it starts units, yields now and then while they run, ends when all of them are done, and ends
what it started when it is closed. What the units bring comes through the run's folder, the same way under all three.
"""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import socket
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

import jax
from absl import flags

from alfamous_jax import compile_cache
from experiments.engines import processes, slurm, units
from experiments.engines.units import Unit
from experiments.plan.work import Plan
from experiments.store import lanes

ENGINE = flags.DEFINE_string("engine", "local", "Where a run is done: local, ray or slurm.")
RAY_ADDRESS = flags.DEFINE_string("ray_address", "", "Of a Ray cluster; else RAY_ADDRESS, else a Ray of this machine.")
SLURM = flags.DEFINE_string("slurm", "", "What a job asks for, such as partition=gpu,time=240,gpus=1.")
COMPILE_CACHE = flags.DEFINE_string(
    "compile_cache", compile_cache.default_folder(), "Folder of compiled programs; empty: none."
)
# Read when Ray is imported: "0" has a Ray that we start listen on loopback alone, as it asks nobody who he is.
RAY_NETWORK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
PACKAGES = {"local": None, "ray": "ray", "slurm": "submitit"}


class Settings(NamedTuple):
    """How a run is carried out, apart from what it computes."""

    engine: str = "local"  # one of PACKAGES
    ray_address: str = ""  # of a cluster; "" for RAY_ADDRESS or else a Ray on this machine
    slurm: str = ""  # what to ask of SLURM, "partition=gpu,time=240"
    compile_cache: str = ""  # folder of compiled programs; "" leaves JAX as it is


LOCAL = Settings()


def settings() -> Settings:
    """What the flags say."""
    return Settings(ENGINE.value, RAY_ADDRESS.value, SLURM.value, COMPILE_CACHE.value)


def check(settings: Settings) -> None:
    """Refuses what cannot work, before anything is written.

    Raises:
      ValueError: an unknown engine, one that is not installed, a flag of another engine, a bad --slurm, or no cluster
        that answers.
    """
    engine, package = settings.engine, PACKAGES.get(settings.engine)
    if engine not in PACKAGES:
        raise ValueError(f"--engine: expected one of {', '.join(PACKAGES)}, got {engine!r}")
    if package and importlib.util.find_spec(package) is None:
        raise ValueError(f"--engine={engine}: needs {package}, which is not installed; pip install -e '.[{engine}]'")
    for field, owner in (("ray_address", "ray"), ("slurm", "slurm")):
        if getattr(settings, field) and engine != owner:
            raise ValueError(f"--{field}: is for --engine={owner}, got --engine={engine}")
    asked = slurm.parameters(settings.slurm)
    if engine == "ray":
        _refuse_absent(settings.ray_address or os.environ.get("RAY_ADDRESS", ""))
    if engine == "slurm" and asked.get("cluster") != "local" and shutil.which("sbatch") is None:
        raise ValueError("--engine=slurm: no sbatch on this machine; start the run where jobs can be submitted")


def run_units(
    plan: Plan,
    config: Mapping,
    folder: pathlib.Path,
    settings: Settings,
    on_cycle: Callable[[list[dict], dict | None], None],
) -> None:
    """Runs the units of a plan on an engine; a unit goes on from its checkpoint.

    Args:
      plan: the work.
      config: the experiment; `workers` is how many units are at work at a time, 0 for what the engine has room for.
      folder: the run's, on a file system that all workers see, with its `config.json`.
      settings: which engine, and how.
      on_cycle: as for `loop.run_lanes`; called in this process, for one cycle perhaps more than once.

    Raises:
      ValueError: what a unit refused.
      RuntimeError: a unit failed, lost its worker too often, or left no records.
    """
    slurm.cancel_left(folder)
    todo = units.make_units(plan, folder.absolute(), settings.compile_cache)
    paths = [unit.path for unit in todo]
    offsets: dict[pathlib.Path, int] = {}
    arrived: dict[pathlib.Path, set[int]] = {path: set() for path in paths}

    def take() -> None:
        for path, line in lanes.new_lines(paths, offsets):
            on_cycle(line.records, line.timing)
            arrived[path].update(record["cycle"] for record in line.records)

    def unfinished() -> list[Unit]:
        return [unit for unit in todo if len(arrived[unit.path]) <= unit.last_cycle]

    take()
    if settings.engine != "local":
        todo = unfinished()  # a place in a queue is worth more than a look at a checkpoint
    try:
        with contextlib.closing(_start(todo, config, settings)) as engine:
            for _ in engine:
                take()
    finally:
        take()
    if todo := unfinished():
        raise RuntimeError(
            f"{todo[0].path}: the unit is done, but its last cycle is not there; "
            "is the workdir on a file system that all workers see?"
        )


def _refuse_absent(address: str) -> None:
    """Ray itself takes a minute to say that nobody answers."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdigit():
        return  # "auto", or ray://HOST:PORT
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"--ray_address: nothing answers at {address!r} ({error})") from None


def _start(todo: list[Unit], config: Mapping, settings: Settings) -> Generator[None, None, None]:
    if settings.engine == "ray":
        return ray_engine(settings.ray_address).run_units(todo, config["workers"], settings.ray_address)
    if settings.engine == "slurm":
        return slurm.run_units(todo, config["workers"], settings.slurm)
    return processes.run_units(todo, config["workers"] or room())


def ray_engine(address: str) -> Any:
    """The engine of Ray, whose processes listen on loopback alone where we start them."""
    if not (address or os.environ.get("RAY_ADDRESS")):
        os.environ.setdefault(RAY_NETWORK, "0")
    return _import_ray()


def _import_ray() -> Any:
    from experiments.engines import ray_cluster

    return ray_cluster


def room() -> int:
    """Processes at a time: one for each core that this process may use, and one where a GPU or TPU does the work."""
    if jax.default_backend() != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
