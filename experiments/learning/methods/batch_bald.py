"""BatchBALD over draws of the last layer's weights."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.selection import batch_bald
from experiments.learning.methods._method import Method
from experiments.learning.view import View
from experiments.plan.strategies import Strategy


class Settings(NamedTuple):
    """Static."""

    budget: int
    num_samples: int  # of the weights


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """As the config says."""
    return Settings(config["budget"], config["num_samples"])


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """The same draws for all rows."""
    weights_key, key = jax.random.split(key)
    weights = laplace.sample_weights(weights_key, view.posterior, settings.num_samples)
    logits = jnp.einsum("nd,skd->snk", view.phi, weights, precision=HIGHEST)
    return batch_bald.select(key, jax.nn.softmax(logits), view.available, budget=settings.budget)


METHOD = Method(
    bases={"batchbald": "BatchBALD, over `config.num_samples` draws of the last layer"},
    pick=pick,
    settings=settings,
    bayesian=lambda strategy: True,
    draws="batch",
)
