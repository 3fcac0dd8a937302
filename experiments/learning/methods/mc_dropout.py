"""BALD over dropout masks, balanced by the mean of the draws."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from alfamous_jax import acquisition
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.methods._method import Common, Method, balanced_batch, choose_lambda
from experiments.learning.view import View
from experiments.plan.strategies import Strategy


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Utilities and probabilities of `view.prob_samples`."""
    return balanced_batch(*_score(view), view, lam, settings.budget)


def choose(key: jax.Array, view: View, settings: Common, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By the same utilities and probabilities."""
    return choose_lambda(*_score(view), view, settings.budget, grid)


def _score(view: View) -> tuple[jax.Array, jax.Array]:
    assert view.prob_samples is not None
    return acquisition.bald(view.prob_samples), jnp.mean(view.prob_samples, axis=0)


def check(config: Mapping, strategy: Strategy) -> None:
    """Without dropout all draws are the same."""
    if not config["dropout"]:
        raise ValueError(f"config.dropout: {str(strategy)!r} needs a rate above 0")


METHOD = Method(
    bases={"bald-mc": "BALD over `config.num_samples` dropout masks, `config.dropout` above 0"},
    pick=pick,
    choose=choose,
    check=check,
    forms=("", "cb"),
    needs=("prob_samples",),
    bayesian=lambda strategy: True,
)
