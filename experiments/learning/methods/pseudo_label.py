"""Entropy-L1-pseudo-label of CBAL: predicted classes are balanced instead of probabilities."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import cycle
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.methods._method import Method, choose_lambda, demand
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
    utilities, predicted = _score(key, view, settings)
    short = demand(view, settings.budget)
    return balance.select_pseudo_label(utilities, predicted, short, lam, view.available, budget=settings.budget)


def choose(key: jax.Array, view: View, settings: Settings, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By its own batches, whose L1 term counts predicted classes."""
    utilities, predicted = _score(key, view, settings)
    short, rows = demand(view, settings.budget), view.available
    one_hot = jax.nn.one_hot(predicted, view.counts.shape[0], dtype=utilities.dtype)
    return choose_lambda(
        utilities, one_hot, view, settings.budget, grid,
        lambda lam: balance.select_pseudo_label(utilities, predicted, short, lam, rows, budget=settings.budget),
    )  # fmt: skip


def _score(key: jax.Array, view: View, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """Utilities and predicted classes [N]."""
    state = cycle.init(view.posterior, view.phi, view.available, view.counts)
    utilities, probs = cycle.score(state, key, settings.utility)
    return utilities, jnp.argmax(probs, axis=-1)


METHOD = Method(
    bases={"entropy-pseudo": "`entropy-cb` with predicted classes in the place of probabilities (CBAL, 2022)"},
    pick=pick,
    settings=settings,
    weighs=True,
    choose=choose,
)
