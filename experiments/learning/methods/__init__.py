"""The strategies: one file a method, each with its pick, what it needs, its settings, its rules and its docs.

A new one is a file here and its name in METHODS; one of your own needs neither (`own`).
"""

from collections.abc import Mapping

from experiments.learning.methods import (
    badge,
    base,
    batch_bald,
    boundary,
    centroids,
    coverage,
    cycle,
    dropquery,
    falcun,
    flqmi,
    k_center,
    mc_dropout,
    minority,
    own,
    pseudo_label,
    typiclust,
    vaal,
    vabal,
)
from experiments.learning.methods._method import Method, Pick
from experiments.plan.strategies import NETWORKS, SCHEMES, Strategy, parse, scheme_of

__all__ = ["METHODS", "Method", "Pick", "check", "lam_of", "method_of", "names", "table"]

METHODS = (
    cycle.RANDOM,
    cycle.METHOD,
    pseudo_label.METHOD,
    mc_dropout.METHOD,
    k_center.METHOD,
    badge.METHOD,
    falcun.METHOD,
    dropquery.METHOD,
    base.METHOD,
    flqmi.METHOD,
    batch_bald.METHOD,
    boundary.GALAXY,
    boundary.DIRECT,
    coverage.MAXHERDING,
    coverage.UHERDING,
    coverage.PROBCOVER,
    typiclust.METHOD,
    vaal.METHOD,
    vabal.METHOD,
    *minority.METHODS,
    centroids.METHOD,
    centroids.PREDICTED,
)
BY_BASE = {base: method for method in METHODS for base in method.bases}


def names() -> list[str]:
    """Every strategy of the library, without options and schemes."""
    return [str(Strategy(base, form)) for base, method in BY_BASE.items() for form in method.forms]


def table() -> str:
    """The strategies as a table in Markdown, as the documentation has it: a row for each base, with its forms."""
    rows = [
        f"| {', '.join([f'`{base}`', *(f'`-{form}`' for form in method.forms if form)])} | {text} |"
        for base, method in BY_BASE.items()
        for text in (method.bases[base],)
    ]
    return "\n".join(["| name | picks |", "| :-- | :-- |", *rows])


def method_of(strategy: Strategy) -> Method:
    """What carries out a strategy.

    Raises:
      ValueError: there is no such base, it has no such form, or takes nothing after @.
    """
    if strategy.own and parse(strategy.base.partition(":")[0]).base in BY_BASE:
        raise ValueError(f"{str(strategy)!r}: after : comes one of {', '.join(SCHEMES)}")
    method = own.method_of(strategy.base) if strategy.own else BY_BASE.get(strategy.base)
    if method is None:
        raise ValueError(f"{str(strategy)!r} is not one of {', '.join(names())}, nor MODULE:ATTRIBUTE")
    if strategy.form not in method.forms:
        known = ", ".join(str(Strategy(strategy.base, form)) for form in method.forms)
        raise ValueError(f"{str(strategy)!r} is not one of {known}")
    if strategy.option and not method.options:
        raise ValueError(f"{str(strategy)!r}: takes nothing after @")
    return method


def balances(strategy: Strategy) -> bool:
    """Whether a strategy takes lam."""
    return strategy.balanced or method_of(strategy).weighs


def lam_of(config: Mapping, strategy: Strategy) -> float | str:
    """The lam of a strategy in a config: a number, 0 if it balances nothing, or "auto"."""
    return config["lams"].get(strategy.short, config["lam"]) if balances(strategy) else 0.0


def check(config: Mapping) -> None:
    """Refuses strategies that a config cannot be run with.

    Raises:
      ValueError: names the field, the strategy and what it needs.
    """
    for name in config["strategies"]:
        try:
            strategy = parse(name)
            method = method_of(strategy)
            method.check(config, strategy)
        except ValueError as error:
            told = str(error)
            raise ValueError(told if told.startswith("config.") else f"config.strategies: {told}") from error
        if lam_of(config, strategy) == "auto" and method.choose is None:
            raise ValueError(f"config.lams: {name!r} needs a number here, as config.lam is 'auto'")
        if lam_of(config, strategy) == "auto" and config["shrink_lam"]:
            raise ValueError(f"config.shrink_lam: goes with a number, not with the lam 'auto' of {name!r}")
        if config["pool_dtype"] != "float32" and not method.narrow:
            raise ValueError(
                f"config.pool_dtype: only strategies of the cycle take {config['pool_dtype']!r}, not {name!r}"
            )
        _check_scheme(config, strategy, method)
        if config["parallel"] == "pool":
            _check_split(config, strategy, method)
    for name in config["lams"]:
        if not _takes_lam(name):
            raise ValueError(f"config.lams: {name!r} is not a strategy that balances classes")


def _takes_lam(name: str) -> bool:
    try:
        strategy = parse(name)
        return balances(strategy) and strategy.short == name
    except ValueError:
        return False


def _check_scheme(config: Mapping, strategy: Strategy, method: Method) -> None:
    """Refuses a strategy that asks more of its scheme than this has."""
    scheme = scheme_of(config, strategy)
    if scheme not in NETWORKS and method.bayesian(strategy):
        raise ValueError(f"config.strategies: {str(strategy)!r} needs a posterior, which scheme {scheme!r} has not")
    if not config["posterior"] and method.bayesian(strategy) and "prob_samples" not in method.needs:
        raise ValueError(f"config.posterior: {str(strategy)!r} ranks by a posterior and needs True, got False")
    if scheme in ("network-th", "switch") and config["head"] != "linear":
        raise ValueError(f"config.head: scheme {scheme!r} of {str(strategy)!r} needs 'linear', got {config['head']!r}")


def _check_split(config: Mapping, strategy: Strategy, method: Method) -> None:
    """Refuses what only a pool on one device can do."""
    name = str(strategy)
    if not method.splits:
        known = ", ".join(base for base, other in BY_BASE.items() if other.splits)
        raise ValueError(f"config.parallel: 'pool' takes strategies of {known}, not {name!r}")
    if scheme_of(config, strategy) not in NETWORKS:
        raise ValueError(f"config.parallel: 'pool' trains networks, not the scheme of {name!r}")
    if lam_of(config, strategy) == "auto":
        raise ValueError(f"config.lam: 'auto' needs the whole pool on one device, config.parallel is 'pool' ({name!r})")
    for field in ("pool_subset", "source"):
        if config[field]:
            raise ValueError(f"config.{field}: goes with a pool on one device, config.parallel is 'pool'")
