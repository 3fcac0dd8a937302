"""A unit of work, a group of lanes of a run, on any machine that sees the run's folder.

A unit goes on from its last checkpoint and appends what every cycle brings to a file of its own, which the process that
started the run follows. It can be lost and started again anywhere and at any time.
"""

import os
import pathlib
import platform
import sys
import traceback
from typing import NamedTuple

from ml_collections import FrozenConfigDict

from experiments.plan.strategies import Lane, group_name
from experiments.plan.work import Plan
from experiments.store import digests, files, lanes

THREADS = ("NPROC", "OPENBLAS_NUM_THREADS")  # what XLA and SciPy's LAPACK go by when they make their threads
RETRIES = 3  # how often a unit that lost its worker is started again


class Unit(NamedTuple):
    """What a worker needs to know."""

    folder: str  # the workdir
    digest: str  # of the run's config.json
    cwd: str  # relative paths of the config start here, and modules of the user's own are looked for
    kind: str  # of `Plan`
    lanes: tuple[Lane, ...]
    last_cycle: int  # after which it is done
    compile_cache: str = ""  # a folder, or "" to leave JAX as it is
    threads: int = 0  # of XLA and of LAPACK on a CPU; 0 for as many as there are cores

    @property
    def name(self) -> str:
        """Of the files of this unit."""
        return group_name(self.lanes)

    @property
    def path(self) -> pathlib.Path:
        """The file of lines that this unit appends to."""
        return pathlib.Path(self.folder, lanes.FOLDER, f"{self.name}.jsonl")


class Outcome(NamedTuple):
    """How a unit ended; an error comes back as text, so that only a lost worker is ever a reason to try again."""

    kind: str  # "done", "refused" (bad input) or "failed" (anything else)
    text: str = ""


def make_units(plan: Plan, folder: pathlib.Path, compile_cache: str) -> list[Unit]:
    """The units of a run whose `config.json` is written."""
    (folder / lanes.FOLDER).mkdir(exist_ok=True)
    digest, cwd = digests.of_file(folder / "config.json"), os.getcwd()
    return [
        Unit(str(folder), digest, cwd, plan.kind, group, plan.last_cycle(group[0]), compile_cache)
        for group in plan.groups
    ]


def work(unit: Unit) -> Outcome:
    """Runs a unit to its end. JAX starts in here, with the cores and the environment that the process then has."""
    try:
        _work(unit)
    except (ValueError, OSError) as error:
        return Outcome("refused", str(error))
    except Exception as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            reason = " ".join(str(error).split())[:200]
            return Outcome("refused", f"{unit.name}: {platform.node()} has not the memory for it ({reason})")
        return Outcome("failed", f"{unit.name} failed on {platform.node()}:\n{traceback.format_exc()}")
    return Outcome("done")


def refuse(outcome: Outcome) -> None:
    """Raises what went wrong in a unit, if anything: ValueError for bad input, RuntimeError for the rest."""
    if outcome.kind == "refused":
        raise ValueError(outcome.text)
    if outcome.kind == "failed":
        raise RuntimeError(outcome.text)


def refuse_lost(unit: Unit, times: int, how: str) -> None:
    """Raises RuntimeError once a unit has lost its worker more often than it is tried again."""
    if times > RETRIES:
        raise RuntimeError(f"{unit.name}: lost its worker {times} times, the last time {how}; what is done is kept")


def _work(unit: Unit) -> None:
    folder = pathlib.Path(unit.folder)
    if not (folder / "config.json").is_file() or digests.of_file(folder / "config.json") != unit.digest:
        raise ValueError(
            f"workdir {folder}: {platform.node()} does not find this run's config.json there; "
            "the workdir must be on a file system that all workers see"
        )
    if not os.path.isdir(unit.cwd):
        raise ValueError(f"{unit.cwd}: is not there on {platform.node()}; start the run from a folder all workers see")
    os.chdir(unit.cwd)
    if unit.cwd not in sys.path:
        sys.path.insert(0, unit.cwd)
    if unit.threads:
        for name in THREADS:  # read once, when their libraries are loaded
            os.environ[name] = str(unit.threads)
    from alfamous_jax import compile_cache
    from experiments.learning import loop, origin
    from experiments.store import workdir

    compile_cache.use(unit.compile_cache)
    config = FrozenConfigDict(files.read_json(folder / "config.json"))
    workdir.refuse_other_data(workdir.begun_with(folder), origin.held(config), f"{folder} (on {platform.node()})")
    with lanes.held(unit.path):
        files.drop_half_line(unit.path)
        loop.run_lanes(
            config,
            unit.kind,
            unit.lanes,
            folder / "checkpoints",
            lambda records, timing: lanes.append(unit.path, lanes.Line(records, timing)),
        )
