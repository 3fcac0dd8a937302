"""What a strategy name means: settings of one acquisition cycle."""

from typing import NamedTuple


class Strategy(NamedTuple):
    """Settings of `cycle.run`; strategies that differ in `balanced` alone share a compiled program."""

    utility: str
    sequential: bool  # one pick and one posterior update at a time, or the whole budget at once
    balanced: bool  # lam > 0


STRATEGIES = {
    "random": Strategy("random", sequential=False, balanced=False),
    "us": Strategy("least_confidence", sequential=False, balanced=False),
    "us-cb": Strategy("least_confidence", sequential=False, balanced=True),
    "us-fbu": Strategy("least_confidence", sequential=True, balanced=False),
    "us-alfamous": Strategy("least_confidence", sequential=True, balanced=True),
    "bald": Strategy("bald", sequential=False, balanced=False),
    "bald-cb": Strategy("bald", sequential=False, balanced=True),
    "bald-fbu": Strategy("bald", sequential=True, balanced=False),
    "bald-alfamous": Strategy("bald", sequential=True, balanced=True),
}


class Lane(NamedTuple):
    """One unit of work: a strategy under a seed."""

    strategy: str
    seed: int


def groups(strategies: tuple[str, ...], seeds: range, together: bool) -> list[tuple[Lane, ...]]:
    """Splits a run into groups of lanes that advance in step.

    Args:
      strategies: names.
      seeds: the seeds of each.
      together: one group for all lanes of a program (for `vmap`), or each lane alone (for processes).

    Returns:
      the groups, in the order of the names.
    """
    lanes = [Lane(strategy, seed) for strategy in strategies for seed in seeds]
    if not together:
        return [(lane,) for lane in lanes]
    by_program: dict[tuple, list[Lane]] = {}
    for lane in lanes:
        by_program.setdefault(STRATEGIES[lane.strategy][:2], []).append(lane)
    return [tuple(group) for group in by_program.values()]
