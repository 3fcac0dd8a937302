"""What a strategy name means: settings of one acquisition cycle."""

from typing import NamedTuple


class Strategy(NamedTuple):
    """Settings of `cycle.run`; strategies that differ in `balanced` alone share a compiled program."""

    utility: str
    minibatch: int | None  # rows per query, None the whole budget
    update: bool  # whether labels move the posterior before the next query
    balanced: bool  # lam > 0


STRATEGIES = {
    "random": Strategy("random", None, update=False, balanced=False),
    "us": Strategy("least_confidence", None, update=False, balanced=False),
    "us-cb": Strategy("least_confidence", None, update=False, balanced=True),
    "us-fbu": Strategy("least_confidence", 1, update=True, balanced=False),
    "us-alfamous": Strategy("least_confidence", 1, update=True, balanced=True),
    "bald": Strategy("bald", None, update=False, balanced=False),
    "bald-cb": Strategy("bald", None, update=False, balanced=True),
    "bald-fbu": Strategy("bald", 1, update=True, balanced=False),
    "bald-alfamous": Strategy("bald", 1, update=True, balanced=True),
    "entropy": Strategy("entropy", None, update=False, balanced=False),
    "entropy-cb": Strategy("entropy", None, update=False, balanced=True),
}


def strategy(name: str) -> Strategy:
    """The settings of a name; "us-alfamous@8" is us-alfamous with queries of 8 rows.

    Raises:
      ValueError: an unknown name, or a size that is no positive integer or has nothing to act on.
    """
    base, at, size = name.partition("@")
    if base not in STRATEGIES:
        raise ValueError(f"{name!r} is not one of {', '.join(STRATEGIES)}")
    if not at:
        return STRATEGIES[base]
    if not STRATEGIES[base].update:
        raise ValueError(f"{name!r}: only strategies with updates take a minibatch after @")
    if not size.isdecimal() or int(size) < 1:
        raise ValueError(f"{name!r}: the minibatch after @ must be an integer of at least 1")
    return STRATEGIES[base]._replace(minibatch=int(size))


class Lane(NamedTuple):
    """One unit of work: a strategy under a seed."""

    strategy: str
    seed: int


def groups(names: tuple[str, ...], seeds: range, together: bool) -> list[tuple[Lane, ...]]:
    """Splits a run into groups of lanes that advance in step.

    Args:
      names: of the strategies.
      seeds: the seeds of each.
      together: one group for all lanes of a program (for `vmap`), or each lane alone (for processes).

    Returns:
      the groups, in the order of the names.
    """
    lanes = [Lane(name, seed) for name in names for seed in seeds]
    if not together:
        return [(lane,) for lane in lanes]
    by_program: dict[tuple, list[Lane]] = {}
    for lane in lanes:
        by_program.setdefault(strategy(lane.strategy)[:3], []).append(lane)
    return [tuple(group) for group in by_program.values()]
