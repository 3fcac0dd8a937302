"""What drives the lanes of a unit from their last checkpoint to the end, whatever a cycle of theirs is."""

import importlib
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
from ml_collections import FrozenConfigDict

from experiments.learning import checkpoint, origin
from experiments.learning.checkpoint import State
from experiments.plan.strategies import Lane, group_name

OnCycle = Callable[[list[dict], dict | None], None]
Timing = dict[str, Any]


class Course(NamedTuple):
    """What a unit goes through."""

    start: State
    num_cycles: int
    one_cycle: Callable[[State, Timing], tuple[State, list[dict]]]  # the next state and the records of the cycle


class Kind(Protocol):
    """A module that says what a cycle is: `active` or `single_stage`."""

    def course(self, config: FrozenConfigDict, lanes: tuple[Lane, ...]) -> Course:
        """The course of some lanes of one program."""


def run_lanes(
    config: FrozenConfigDict, kind: str, lanes: tuple[Lane, ...], folder: pathlib.Path, on_cycle: OnCycle
) -> None:
    """Runs lanes of one program in step from their last checkpoint to the end.

    Args:
      config: the experiment.
      kind: the module of this package that says what a cycle is, `plan.work.ACTIVE` or `SINGLE_STAGE`.
      lanes: they may differ in seed and in lam.
      folder: where the checkpoints of all groups are.
      on_cycle: called with (records, timing) for what a checkpoint already held (timing None) and
        after every cycle, once its checkpoint is on disk.

    Raises:
      ValueError: a damaged checkpoint or one of other data, a NaN in training or in the pool; names where.
    """
    module: Kind = importlib.import_module(f"experiments.learning.{kind}")
    course = module.course(config, lanes)
    learns_from = origin.word(config)
    with checkpoint.manager(folder / group_name(lanes), learns_from) as checkpoints:
        state = checkpoint.restore(checkpoints, course.start)
        if state.records:
            on_cycle(state.records, None)
        while state.cycle < course.num_cycles:
            timing: Timing = {"strategy": "+".join(dict.fromkeys(str(lane.strategy) for lane in lanes))}
            timing |= {"seeds": sorted({lane.seed for lane in lanes}), "cycle": state.cycle}
            state, records = course.one_cycle(state, timing)
            start = time.perf_counter()
            checkpoint.save(checkpoints, state, learns_from)
            timing["checkpoint_s"] = round(time.perf_counter() - start, 4)
            on_cycle(records, timing)


def timed(timing: Timing, name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Calls and waits; the time goes into `timing`."""
    start = time.perf_counter()
    result = jax.block_until_ready(function(*args))
    timing[name] = round(time.perf_counter() - start, 4)
    return result


def number(value: Any) -> float | None:
    """Six digits of a score; None, a null in the file, where it is not finite."""
    return round(float(value), 6) if math.isfinite(value) else None
