"""Minority-class-oriented sampling: slots for the classes that lack labels (ICPR 2020)."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import minority
from experiments.learning.methods._method import Method, probabilities
from experiments.learning.view import View
from experiments.plan.strategies import Strategy

WITHIN = {"cmcs": "certain", "umcs": "uncertain", "dmcs": "diverse"}
AUXILIARY = {"rand": "random", "marg": "margin"}


class Settings(NamedTuple):
    """Static."""

    budget: int
    within: str
    auxiliary: str


def settings(within: str, auxiliary: str, config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """Both orders come with the name."""
    return Settings(config["budget"], WITHIN[within], AUXILIARY[auxiliary])


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """Rows predicted to be of a class that lacks labels first."""
    assert view.features is not None
    rows = view.features, view.labels, view.labelled, view.available
    return minority.select(key, probabilities(view), view.counts, *rows, **settings._asdict())


def _method(within: str, auxiliary: str) -> Method:
    order = {"cmcs": "most certain", "umcs": "least certain", "dmcs": "most different"}[within]
    rest = {"rand": "at random", "marg": "by margin"}[auxiliary]
    row = f"classes that lack labels first, their {order} rows; the rest {rest} (ICPR 2020)"
    return Method(
        bases={f"{within}-{auxiliary}": row},
        pick=pick,
        settings=partial(settings, within, auxiliary),
        needs=("features",),
        draws="rows" if auxiliary == "rand" else "",
    )


METHODS = tuple(_method(within, auxiliary) for within in WITHIN for auxiliary in AUXILIARY)
