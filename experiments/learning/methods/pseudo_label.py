"""Entropy-L1-pseudo-label of CBAL: predicted classes are balanced instead of probabilities."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import cycle
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance
from experiments.learning.methods._method import Method, demand
from experiments.learning.view import View
from experiments.plan.strategies import Strategy


class Settings(NamedTuple):
    """Static."""

    utility: str
    budget: int


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """Entropy, as in the paper."""
    return Settings("entropy", config["budget"])


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """The exact optimum for one-hot predictions."""
    state = cycle.init(view.posterior, view.phi, view.available, view.counts)
    utilities, probs = cycle.score(state, key, settings.utility)
    predicted = jnp.argmax(probs, axis=-1)
    short = demand(view, settings.budget)
    return balance.select_pseudo_label(utilities, predicted, short, lam, view.available, budget=settings.budget)


METHOD = Method(
    bases={"entropy-pseudo": "`entropy-cb` with predicted classes in the place of probabilities (CBAL, 2022)"},
    pick=pick,
    settings=settings,
    weighs=True,
    chooses_lam=True,
)
