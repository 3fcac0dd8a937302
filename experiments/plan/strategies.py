"""What a strategy name means: a method and its settings for one acquisition cycle."""

from collections.abc import Mapping
from typing import NamedTuple


class Strategy(NamedTuple):
    """A method of `selectors.METHODS` and its settings; what differs in `balanced` alone shares a compiled program."""

    utility: str = ""  # of the methods that rank rows by one
    minibatch: int | None = None  # rows per query, None the whole budget
    update: bool = False  # whether labels move the posterior before the next query
    balanced: bool = False  # lam > 0
    method: str = "cycle"
    scheme: str = ""  # one of SCHEMES, "" for the config's


STRATEGIES = {
    "random": Strategy("random"),
    "us": Strategy("least_confidence"),
    "us-cb": Strategy("least_confidence", balanced=True),
    "us-fbu": Strategy("least_confidence", 1, update=True),
    "us-alfamous": Strategy("least_confidence", 1, update=True, balanced=True),
    "bald": Strategy("bald"),
    "bald-cb": Strategy("bald", balanced=True),
    "bald-fbu": Strategy("bald", 1, update=True),
    "bald-alfamous": Strategy("bald", 1, update=True, balanced=True),
    "margin": Strategy("margin"),
    "margin-cb": Strategy("margin", balanced=True),
    "entropy": Strategy("entropy"),
    "entropy-cb": Strategy("entropy", balanced=True),
    "entropy-pseudo": Strategy("entropy", balanced=True, method="pseudo_label"),
    "bald-mc": Strategy(method="mc_dropout"),
    "bald-mc-cb": Strategy(balanced=True, method="mc_dropout"),
    "kcenter": Strategy(method="k_center"),
    "kcenter-cb": Strategy(balanced=True, method="k_center"),
    "badge": Strategy(method="badge"),
    "batchbald": Strategy(method="batch_bald"),
    "vaal": Strategy(method="vaal"),
    "vaal-cb": Strategy(balanced=True, method="vaal"),
    "vabal": Strategy("all", method="vabal"),
    "vabal-cb": Strategy("all", balanced=True, method="vabal"),
    "cmcs-rand": Strategy("certain-random", method="minority"),
    "cmcs-marg": Strategy("certain-margin", method="minority"),
    "umcs-rand": Strategy("uncertain-random", method="minority"),
    "umcs-marg": Strategy("uncertain-margin", method="minority"),
    "dmcs-rand": Strategy("diverse-random", method="minority"),
    "dmcs-marg": Strategy("diverse-margin", method="minority"),
    "cds-bal": Strategy("revealed", method="centroids"),
    "cds-bal-pred": Strategy("predicted", method="centroids"),
}
# Of vabal: the terms of Table 1, the constraints of Table 2, and what the authors' code does.
FORMS = ("likelihood", "prior", "difficulty", "absolute", "sigmoid", "authors")
# Methods that work on a pool whose rows are split over devices.
SPLIT = ("cycle", "k_center", "badge")
# How a lane learns from its labels: the network, with prior thresholding or without; a linear SVM on fixed features,
# cost-sensitive or not; from the cost-sensitive SVM to the thresholded network once that is the better one (ICPR 2020).
NETWORKS = ("network", "network-th")
SCHEMES = (*NETWORKS, "svm", "cs-svm", "switch")


def strategy(name: str) -> Strategy:
    """The settings of a name, such as us-alfamous, us-alfamous@8 (queries of 8 rows), vabal@prior or margin:cs-svm.

    Raises:
      ValueError: an unknown name, form or scheme, or a size that is no positive integer or has nothing to act on.
    """
    rest, colon, scheme = name.partition(":")
    if colon and scheme not in SCHEMES:
        raise ValueError(f"{name!r}: after : comes one of {', '.join(SCHEMES)}")
    base, at, size = rest.partition("@")
    if base not in STRATEGIES:
        raise ValueError(f"{name!r} is not one of {', '.join(STRATEGIES)}")
    setting = STRATEGIES[base]._replace(scheme=scheme)
    if not at:
        return setting
    if setting.method == "vabal":
        if size not in FORMS:
            raise ValueError(f"{name!r}: after @ comes one of {', '.join(FORMS)}")
        return setting._replace(utility=size)
    if not setting.update:
        raise ValueError(f"{name!r}: only strategies with updates take a minibatch after @")
    if not size.isdecimal() or int(size) < 1:
        raise ValueError(f"{name!r}: the minibatch after @ must be an integer of at least 1")
    return setting._replace(minibatch=int(size))


def base_of(name: str) -> str:
    """The entry of STRATEGIES that a name goes back to."""
    return name.partition(":")[0].partition("@")[0]


def scheme_of(config: Mapping, name: str) -> str:
    """How a strategy's lanes learn in a config: one of SCHEMES."""
    return strategy(name).scheme or config["scheme"]


def lam_of(config: Mapping, name: str) -> float | str:
    """The lam of a strategy in a config: a number, 0 if it balances nothing, or "auto"."""
    return config["lams"].get(base_of(name), config["lam"]) if strategy(name).balanced else 0.0


class Lane(NamedTuple):
    """One unit of work: a strategy under a seed."""

    strategy: str
    seed: int


def groups(config: Mapping, seeds: range, together: bool) -> list[tuple[Lane, ...]]:
    """Splits a run into groups of lanes that advance in step.

    Args:
      config: names the strategies.
      seeds: the seeds of each.
      together: one group for all lanes of a program (for `vmap`), or each lane alone (for processes).

    Returns:
      the groups, in the order of the names. A lane that may switch to another scheme is always alone.
    """
    lanes = [Lane(name, seed) for name in config["strategies"] for seed in seeds]
    by_program: dict[tuple, list[Lane]] = {}
    for lane in lanes:
        scheme = scheme_of(config, lane.strategy)
        alone = lane if not together or scheme == "switch" else None
        program = strategy(lane.strategy)._replace(balanced=False, scheme=scheme)
        by_program.setdefault((program, alone), []).append(lane)
    return [tuple(group) for group in by_program.values()]


def group_name(lanes: tuple[Lane, ...]) -> str:
    """Name of a group's files and of its checkpoint folder."""
    strategies = dict.fromkeys(lane.strategy for lane in lanes)
    seeds = sorted({lane.seed for lane in lanes})
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    return f"{'+'.join(strategies)}-seed{span}"
