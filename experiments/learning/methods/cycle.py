"""Utilities of the last layer's posterior, in all four forms: batches, and AL-FaMoUS's updates after every label."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import jax

from alfamous_jax import acquisition, cycle
from alfamous_jax.core.contract import Selection, without_objective
from alfamous_jax.selection.balance_lp import Curve
from alfamous_jax.utilities import Utility
from experiments.learning.methods._method import Method, choose_lambda
from experiments.learning.view import View
from experiments.plan.strategies import FORMS, Strategy

UTILITIES = {"random": "random", "us": "least_confidence", "margin": "margin", "entropy": "entropy", "bald": "bald"}


class Settings(NamedTuple):
    """Of `cycle.run`; static."""

    utility: str | Utility
    budget: int
    minibatch: int  # rows of a query
    update: bool
    count_cycle: bool
    implicit: bool
    axis_name: str | None


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """BALD without draws unless `config.bald_samples` asks for them."""
    utility: str | Utility = UTILITIES[strategy.base]
    if utility == "bald" and config["bald_samples"]:
        utility = _sampled_bald(config["bald_samples"])
    return of_utility(utility, config, strategy, axis_name)


def of_utility(utility: str | Utility, config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """The settings of a strategy that ranks by some utility; without balance and updates its rows are picked singly."""
    one_by_one = strategy.updates or not strategy.balanced
    minibatch = int(strategy.option or 1) if one_by_one else config["budget"]
    switches = strategy.updates, config["count_cycle"], config["implicit_update"]
    return Settings(utility, config["budget"], minibatch, *switches, axis_name)


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """A whole cycle against the revealed labels."""
    arrays = view.posterior, view.phi, view.labels, view.available, view.counts
    _, info = cycle.run(key, *arrays, lam=lam, **settings._asdict())
    return without_objective(info.indices, info.num_invalid, view.phi.dtype)


def choose(key: jax.Array, view: View, settings: Settings, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By batches of the whole budget, as AL-FaMoUS does for its single picks too (section 4.2)."""
    state = cycle.init(view.posterior, view.phi, view.available, view.counts)
    return choose_lambda(*cycle.score(state, key, settings.utility), view, settings.budget, grid)


def check(config: Mapping, strategy: Strategy) -> None:
    """The rows of a query divide the budget."""
    if not strategy.option:
        return
    if not strategy.updates:
        raise ValueError(f"{str(strategy)!r}: only strategies with updates take a minibatch after @")
    if not strategy.option.isdecimal() or int(strategy.option) < 1:
        raise ValueError(f"{str(strategy)!r}: the minibatch after @ must be an integer of at least 1")
    if config["budget"] % int(strategy.option):
        raise ValueError(f"{str(strategy)!r}: {strategy.option} does not divide config.budget {config['budget']}")


@cache
def _sampled_bald(num_samples: int) -> Utility:
    return lambda logits, variance, key: acquisition.bald_sampled(key, logits, variance, num_samples)


METHOD = Method(
    bases={
        "us": "least confidence: 1 - the largest class probability (AL-FaMoUS, 2023)",
        "margin": "the smallest lead of the most probable class over the second",
        "entropy": "the entropy of the class probabilities",
        "bald": "the information a label has about the last layer, exact to .02, or by `config.bald_samples` draws",
    },
    pick=pick,
    settings=settings,
    check=check,
    forms=FORMS,
    options="rows of a query, for forms with updates",
    choose=choose,
    narrow=True,
    splits=True,
    bayesian=lambda strategy: strategy.updates or strategy.base == "bald",
    reveals=lambda strategy: strategy.updates,
)
# Apart, as it draws.
RANDOM = METHOD._replace(
    bases={"random": "rows at random; its balanced forms weigh chance against the balance of the classes"},
    draws="rows",
)
