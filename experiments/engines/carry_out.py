"""A plan carried out in a workdir: claimed, its units run where they should be, records written, report drawn."""

import contextlib
import pathlib
import sys
from collections.abc import Callable, Iterator

import jax
from ml_collections import FrozenConfigDict
from rich.console import Console

from experiments.engines import choose, distributed, slurm, units
from experiments.engines.choose import Settings
from experiments.learning import loop
from experiments.plan.strategies import group_name
from experiments.plan.work import Plan
from experiments.store import files, lanes, workdir
from experiments.store.files import read_json_lines
from experiments.store.records import Recorder


def carry_out(
    plan: Plan,
    config: dict,
    folder: pathlib.Path,
    settings: Settings,
    *,
    data: dict[str, object],
    resume: bool,
    overwrite: bool,
    finish: Callable[[pathlib.Path], object],
) -> list[dict]:
    """Runs a plan to its end.

    Args:
      plan: of the config.
      config: the experiment, checked.
      folder: the workdir.
      settings: on which engine, and how; of `choose.check`.
      data: facts about the data, for `environment.json`.
      resume: go on with the run there, if there is one.
      overwrite: delete the run there first.
      finish: called with the folder once all records are there.

    Returns:
      the records of `metrics.jsonl`; nothing in a process other than the first of several.

    Raises:
      ValueError: the workdir cannot be used, or what a unit refused.
      RuntimeError: a unit of work failed, or lost its worker again and again; what was done is kept.
    """
    claim = workdir.claim(folder, config, data, resume=resume, overwrite=overwrite, report=plan.written)
    with distributed.on_first(_opened(claim, folder, plan)) as recorder:
        if recorder is None:
            for group in plan.groups:
                loop.run_lanes(FrozenConfigDict(config), plan.kind, group, folder / "checkpoints", _say_nothing)
            return []
        with recorder:
            if settings.engine != "local":  # whose workers say it themselves, where nobody is watching
                for name in lanes.busy(folder, lanes.PATIENCE_S):
                    print(f"waiting for {name}, left by an earlier part of the run; end it to go on", file=sys.stderr)
            if settings.engine == "local" and in_this_process(config):
                _run_here(plan, FrozenConfigDict(config), folder, recorder.add)
            else:
                choose.run_units(plan, config, folder, settings, recorder.add)
        finish(folder)
    return read_json_lines(folder / "metrics.jsonl")


def together(config: dict) -> bool:
    """Whether all lanes of a program advance in one `vmap`: where asked for, and on a GPU or TPU."""
    return config["parallel"] == "vmap" or (config["parallel"] == "auto" and jax.default_backend() != "cpu")


def in_this_process(config: dict) -> bool:
    """Whether the process that starts a run does its units too, as it holds the devices."""
    return config["parallel"] == "pool" or together(config)


@contextlib.contextmanager
def _opened(
    claim: contextlib.AbstractContextManager[Callable[[], None]], folder: pathlib.Path, plan: Plan
) -> Iterator[Recorder]:
    """Claims a workdir and reads what is there; all is checked before anything is written."""
    with claim as begin:
        _refuse_other_groups(folder / "checkpoints", plan)
        recorder = Recorder(folder, plan.place, plan.weight, plan.total, Console())
        begin()
        yield recorder


def _run_here(plan: Plan, config: FrozenConfigDict, folder: pathlib.Path, on_cycle: loop.OnCycle) -> None:
    """One unit after the other."""
    slurm.cancel_left(folder)
    for unit in units.make_units(plan, folder.absolute(), ""):
        with lanes.held(unit.path):
            loop.run_lanes(config, unit.kind, unit.lanes, folder / "checkpoints", on_cycle)


def _say_nothing(records: list[dict], timing: dict | None) -> None:
    """Of several processes the first alone writes."""


def _refuse_other_groups(checkpoints: pathlib.Path, plan: Plan) -> None:
    """Lanes done in processes cannot go on under vmap, nor the other way round; lanes in step take in no others."""
    names = {group_name(group) for group in plan.groups}
    for path in sorted(checkpoints.iterdir()) if checkpoints.exists() else []:
        if path.name not in names and path.is_dir() and not files.is_litter(path.name):
            raise ValueError(
                f"{path}: was written under another config.parallel or on another kind of device, or holds lanes that "
                "went in step; resume as it began or choose another workdir"
            )
