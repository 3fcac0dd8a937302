"""FLQMI of SIMILAR: rows whose gradients are like those of the labelled rows of classes that lack labels."""

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import flqmi
from experiments.learning.methods._method import Common, Method, demand
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Gradients at the mean weights; the classes below an equal share after the batch are the rare ones."""
    probs = jax.nn.softmax(laplace.predict(view.posterior, view.phi)[0])
    targets = jnp.where(view.labelled & (demand(view, settings.budget)[view.labels] > 0), 1.0, 0.0)
    rows = view.phi, view.labels, targets, view.available
    found: Selection = flqmi.select(probs, *rows, budget=settings.budget)
    return found


METHOD = Method(
    bases={"flqmi": "rows whose gradients are like those of labelled rows of classes that lack labels (SIMILAR, 2021)"},
    pick=pick,
)
