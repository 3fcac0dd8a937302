"""GALAXY and DIRECT: the rows where the ranking of a class goes over from it to the others."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

from alfamous_jax import cycle, laplace
from alfamous_jax.core import collectives
from alfamous_jax.core.contract import Selection, without_objective
from alfamous_jax.selection import boundary
from experiments.learning.methods._method import Method, probabilities
from experiments.learning.view import View
from experiments.plan.strategies import Strategy

Carry = tuple[cycle.PoolState, jax.Array]  # and which rows are labelled [N]
ROUND = 20  # rows that DIRECT labels at a time


class Settings(NamedTuple):
    """Static."""

    budget: int
    updates: bool
    implicit: bool
    round_size: int
    axis_name: str | None  # the mesh axis that the rows are split over


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """The budget, whether labels move the posterior, the rows of a round, the mesh axis."""
    round_size = int(strategy.option or ROUND)
    return Settings(config["budget"], strategy.updates, config["implicit_update"], round_size, axis_name)


def galaxy(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """On mean-field probabilities, fixed for the batch or as they are after every label."""
    found: Selection
    if settings.updates:
        found = _with_updates(key, view, settings)
    else:
        known = view.labels, view.labelled, view.available
        how = {"budget": settings.budget, "axis_name": settings.axis_name}
        found = boundary.galaxy(key, probabilities(view), *known, **how)
    return found


def _with_updates(key: jax.Array, view: View, settings: Settings) -> Selection:
    """Row by row: each pick sees the ranking under the posterior of all labels before it."""
    axis_name = settings.axis_name
    begin = cycle.init(view.posterior, view.phi, view.available, view.counts)

    def step(carry: Carry, key: jax.Array) -> tuple[Carry, Selection]:
        state, labelled = carry
        probs = laplace.mean_field(state.logits, state.variance)
        found = boundary.galaxy(key, probs, view.labels, labelled, state.available, budget=1, axis_name=axis_name)
        answers = collectives.take(view.labels, found.indices, axis_name)
        state = cycle.update(state, view.phi, found.indices, answers, axis_name, implicit=settings.implicit)
        here = collectives.places(found.indices, len(labelled), axis_name)
        return (state, labelled.at[here].set(True, mode="drop")), found

    _, each = jax.lax.scan(step, (begin, view.labelled), jax.random.split(key, settings.budget))
    return without_objective(each.indices.ravel(), each.num_invalid[0], view.phi.dtype)


def direct(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """On mean-field probabilities."""
    known = view.labels, view.labelled, view.available
    found: Selection = boundary.direct(
        key,
        probabilities(view),
        *known,
        budget=settings.budget,
        round_size=settings.round_size,
        axis_name=settings.axis_name,
    )
    return found


def check(config: Mapping, strategy: Strategy) -> None:
    """A round has a row."""
    if strategy.option and (not strategy.option.isdecimal() or int(strategy.option) < 1):
        raise ValueError(f"{str(strategy)!r}: the rows of a round after @ must be an integer of at least 1")


GALAXY = Method(
    bases={"galaxy": "where the ranking of a class ends, by bisection between labels, class by class (GALAXY, 2022)"},
    pick=galaxy,
    settings=settings,
    forms=("", "fbu"),
    splits=True,
    bayesian=lambda strategy: strategy.updates,
    draws="rows",
    reveals=lambda strategy: True,
)
DIRECT = GALAXY._replace(
    bases={"direct": "the cut of a class's ranking that fits the labels best, and the rows round it (DIRECT, 2025)"},
    pick=direct,
    check=check,
    forms=("",),
    options="rows that are labelled at a time",
)
