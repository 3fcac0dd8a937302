"""How a single-stage experiment chooses rows: the name of a selection, taken apart once: ent-inv-div-bal+ens."""

from collections.abc import Mapping
from typing import NamedTuple

from experiments.plan.check import Rule, between, check_config, shown
from experiments.plan.strategies import SCHEMES

RANKINGS = {"random": "random", "ent-inv": "entropy", "ls-inv": "largest", "kcenter": "core"}
OWN = ("selections", "budgets", "balance_from", "ensemble", "schemes")  # fields that the other experiments lack


class Choice(NamedTuple):
    """The settings of a name."""

    name: str
    ranking: str  # of `alfamous_jax.selection.single_stage.RANKINGS`
    diversified: bool = False
    balancing: str | None = None
    ensemble: bool = False

    def __str__(self) -> str:
        """The name."""
        return self.name


FULL = Choice("full", "")  # all labels of the pool


def parse(name: str) -> Choice:
    """The settings of a name such as ent-inv-div-bal+ens; ValueError for another."""
    rest, plus, ensemble = name.partition("+")
    balancing = {"-bal": "candidates", "-cen": "centroid"}.get(rest[-4:])
    rest = rest[:-4] if balancing else rest
    base, diversified = rest.removesuffix("-div"), rest.endswith("-div")
    if base not in RANKINGS or (base == "kcenter" and diversified) or (plus and ensemble != "ens"):
        known = ", ".join(RANKINGS)
        raise ValueError(f"{name!r} is not one of {known}, with -div (not kcenter), -bal or -cen and +ens after it")
    return Choice(name, RANKINGS[base], diversified, balancing, bool(plus))


def check_choices(config: Mapping, *others: Rule) -> dict:
    """Refuses a bad config of a single-stage experiment.

    Args:
      config: the fields of a config file, as a dictionary.
      others: see `check_config`.

    Returns:
      the fields, `strategies` set to what the other checks read: learning under each scheme, at random.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    for field in OWN:
        if field not in config:
            raise ValueError(f"config.{field}: missing")
    for field in ("schemes", "selections"):
        names = config[field]
        text = isinstance(names, (tuple, list)) and all(isinstance(name, str) for name in names)
        if not text or not 0 < len(set(names)) == len(names):
            raise ValueError(f"config.{field}: expected a tuple of different names, got {shown(names)}")
    known = SCHEMES[:-1]
    for name in config["schemes"]:
        if name not in known:
            raise ValueError(f"config.schemes: {name!r} is not one of {', '.join(known)}")
    try:
        choices = [parse(name) for name in config["selections"]]
    except ValueError as error:
        raise ValueError(f"config.selections: {error}") from None
    if any(choice.ensemble for choice in choices) and not config["source"]:
        raise ValueError("config.selections: +ens needs the snapshots of config.source")
    budgets = config["budgets"]
    whole = isinstance(budgets, (tuple, list)) and all(type(b) is int and 0 < b < 2**31 for b in budgets)
    if not whole or not budgets or list(budgets) != sorted({*budgets}):
        raise ValueError(f"config.budgets: expected a rising tuple of integers above 0, got {shown(budgets)}")
    start = config["balance_from"]
    if not isinstance(start, (int, float)) or not 0 < start <= 1:
        raise ValueError(f"config.balance_from: expected a number above 0 and at most 1, got {shown(start)}")
    _, expected, is_right = between(1, 1000, "ensemble")
    if not is_right(config["ensemble"]):
        raise ValueError(f"config.ensemble: expected {expected}, got {shown(config['ensemble'])}")
    common = {name: value for name, value in config.items() if name not in OWN}
    common["strategies"] = tuple(f"random:{scheme}" for scheme in config["schemes"])
    check_config(common, *others)
    return common | {field: config[field] for field in OWN}
