"""VAAL: an adversarial autoencoder of the inputs, trained anew in every cycle."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

from alfamous_jax.autoencoders import vaal, vae
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.methods._method import Method, balanced_batch, choose_lambda, probabilities
from experiments.learning.view import View
from experiments.plan.strategies import Strategy


class Settings(NamedTuple):
    """Static."""

    budget: int
    num_steps: int


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """As the config says."""
    return Settings(config["budget"], config["vae_steps"])


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """What the discriminator takes for unlabelled."""
    return balanced_batch(*_score(key, view, settings), view, lam, settings.budget)


def choose(key: jax.Array, view: View, settings: Settings, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By one training of both networks, the same that `pick` has with this key."""
    return choose_lambda(*_score(key, view, settings), view, settings.budget, grid)


def _score(key: jax.Array, view: View, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """Utilities [N] after the training, and the classifier's probabilities [N, K]."""
    model = vae.build(view.inputs.shape[1:])
    models, _ = vaal.fit(
        key, view.inputs, view.rows, view.labelled, view.available, model=model, num_steps=settings.num_steps
    )
    return vaal.utility(models, view.inputs, view.rows, model=model), probabilities(view)


METHOD = Method(
    bases={"vaal": "VAAL on the inputs, `config.vae_steps` steps a cycle"},
    pick=pick,
    settings=settings,
    choose=choose,
    forms=("", "cb"),
    draws="training",
)
