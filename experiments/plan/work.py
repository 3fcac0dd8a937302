"""A run as units of work: groups of lanes that advance in step, and how their records are ordered and counted."""

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from experiments.plan.choices import FULL, parse
from experiments.plan.strategies import Lane, lanes_of, scheme_of

Group = tuple[Lane, ...]
ACTIVE, SINGLE_STAGE = "active", "single_stage"  # modules of `learning` that say what a cycle is


class Plan(NamedTuple):
    """What a run consists of; both drivers hand one to the engines."""

    kind: str  # ACTIVE or SINGLE_STAGE
    groups: list[Group]
    last_cycle: Callable[[Lane], int]
    place: Callable[[dict], tuple]  # of a record in `metrics.jsonl`, equal for two of the same thing; or a ValueError
    weight: Callable[[dict], int]  # what a record is worth on the progress bar
    total: int  # sum of the weights
    written: tuple[str, ...] = ()  # files of the report


def active(config: Mapping, seeds: range, together: bool, written: tuple[str, ...] = ()) -> Plan:
    """The plan of a run of active learning.

    Args:
      config: checked.
      seeds: of every strategy.
      together: one group for all lanes of a program (for `vmap`), or each lane alone (for processes).
      written: files of its report.

    Returns:
      the plan, groups in the order of the names. A lane that may switch to another scheme is always alone.
    """
    order = {name: i for i, name in enumerate(config["strategies"])}

    def place(record: dict) -> tuple:
        return order[_own(record, order, seeds, lambda name: config["cycles"])], record["seed"], record["cycle"]

    lane = sum(config["initial"] + cycle * config["budget"] for cycle in range(config["cycles"] + 1))
    return Plan(
        ACTIVE,
        groups(config, seeds, together),
        lambda lane: config["cycles"],
        place=place,
        weight=lambda record: record["num_labelled"],  # labelled rows in training
        total=lane * len(order) * len(seeds),
        written=written,
    )


def groups(config: Mapping, seeds: range, together: bool) -> list[Group]:
    """Lanes that advance in step; see `active`."""
    by_program: dict[tuple, list[Lane]] = {}
    for lane in lanes_of(config["strategies"], seeds):
        scheme = scheme_of(config, lane.strategy)
        alone = lane if not together or scheme == "switch" else None
        by_program.setdefault((lane.strategy.program(scheme), alone), []).append(lane)
    return [tuple(group) for group in by_program.values()]


def single_stage(config: Mapping, seeds: range, written: tuple[str, ...] = ()) -> Plan:
    """The plan of a single-stage run: a lane for each selection and seed, its cycles the budgets; first all labels."""
    choices = [FULL, *map(parse, config["selections"])]
    names = [str(choice) for choice in choices]
    both = itertools.product(enumerate(names), enumerate(config["schemes"]))
    order = {f"{name}:{scheme}": (i, j) for (i, name), (j, scheme) in both}

    last = len(config["budgets"]) - 1

    def place(record: dict) -> tuple:
        name = _own(record, order, seeds, lambda name: 0 if name.startswith(f"{FULL}:") else last)
        return order[name][0], record["seed"], record["cycle"], order[name][1]

    records = len(seeds) * len(config["schemes"])
    return Plan(
        SINGLE_STAGE,
        [(Lane(choice, seed),) for choice in choices for seed in seeds],
        lambda lane: 0 if lane.strategy == FULL else last,
        place=place,
        weight=lambda record: 1,
        total=records * (1 + len(config["selections"]) * (last + 1)),
        written=written,
    )


def _own(record: Mapping, names: Collection[str], seeds: range, last: Callable[[str], int]) -> str:
    """The strategy of a record of this run; ValueError says why it is none."""
    name, seed, cycle = (record.get(field) for field in ("strategy", "seed", "cycle"))
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"strategy {_short(name)} is none of this run's ({', '.join(names)})")
    if type(seed) is not int or seed not in seeds:
        raise ValueError(f"seed {_short(seed)} is none of this run's ({seeds[0]} to {seeds[-1]})")
    if type(cycle) is not int or not 0 <= cycle <= last(name):
        raise ValueError(f"cycle {_short(cycle)} is none of this run's (0 to {last(name)})")
    return name


def _short(value: object) -> str:
    return repr(value)[:60]
