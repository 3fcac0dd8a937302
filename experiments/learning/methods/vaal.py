"""VAAL: an adversarial autoencoder of the inputs, trained anew in every cycle."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

from alfamous_jax.autoencoders import vaal, vae
from alfamous_jax.core.contract import Selection
from experiments.learning.methods._method import Method, balanced_batch, probabilities
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
    probs = probabilities(view)
    model = vae.build(view.inputs.shape[1:])
    models, _ = vaal.fit(
        key, view.inputs, view.rows, view.labelled, view.available, model=model, num_steps=settings.num_steps
    )
    utilities = vaal.utility(models, view.inputs, view.rows, model=model)
    return balanced_batch(utilities, probs, view, lam, settings.budget)


METHOD = Method(
    bases={"vaal": "VAAL on the inputs, `config.vae_steps` steps a cycle"},
    pick=pick,
    settings=settings,
    forms=("", "cb"),
    draws="training",
)
