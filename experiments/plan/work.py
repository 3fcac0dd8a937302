"""A run as units of work: groups of lanes that advance in step, and how their records are ordered and counted."""

import itertools
from collections.abc import Callable, Mapping
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
    place: Callable[[dict], tuple]  # of a record in `metrics.jsonl`; equal for two records of the same thing
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
    lane = sum(config["initial"] + cycle * config["budget"] for cycle in range(config["cycles"] + 1))
    return Plan(
        ACTIVE,
        groups(config, seeds, together),
        lambda lane: config["cycles"],
        place=lambda record: (order[record["strategy"]], record["seed"], record["cycle"]),
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

    def place(record: dict) -> tuple:
        selection, scheme = order[record["strategy"]]
        return selection, record["seed"], record["cycle"], scheme

    last = len(config["budgets"]) - 1
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
