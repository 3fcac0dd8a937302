"""BALD over dropout masks, balanced by the mean of the draws."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from alfamous_jax import acquisition
from alfamous_jax.core.contract import Selection
from experiments.learning.methods._method import Common, Method, balanced_batch
from experiments.learning.view import View
from experiments.plan.strategies import Strategy


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Utilities and probabilities of `view.prob_samples`."""
    assert view.prob_samples is not None
    utilities, probs = acquisition.bald(view.prob_samples), jnp.mean(view.prob_samples, axis=0)
    return balanced_batch(utilities, probs, view, lam, settings.budget)


def check(config: Mapping, strategy: Strategy) -> None:
    """Without dropout all draws are the same."""
    if not config["dropout"]:
        raise ValueError(f"config.dropout: {str(strategy)!r} needs a rate above 0")


METHOD = Method(
    bases={"bald-mc": "BALD over `config.num_samples` dropout masks, `config.dropout` above 0"},
    pick=pick,
    check=check,
    forms=("", "cb"),
    needs=("prob_samples",),
    bayesian=lambda strategy: True,
)
