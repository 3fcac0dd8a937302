"""Centroid balancing (WACV 2020): rows near the centroid of the rarest class, label by label."""

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import centroids
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Every label is revealed before the next pick."""
    return _pick(view, view.labels, settings.budget)


def pick_predicted(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """The predicted class is believed until the batch is labelled."""
    predicted = jnp.argmax(laplace.predict(view.posterior, view.phi)[0], axis=-1)
    return _pick(view, jnp.where(view.labelled, view.labels, predicted), settings.budget)


def _pick(view: View, labels: jax.Array, budget: int) -> Selection:
    assert view.features is not None
    num_classes = view.counts.shape[0]
    return centroids.select(
        view.features, labels, view.labelled, view.available, budget=budget, num_classes=num_classes
    )


METHOD = Method(
    bases={"cds-bal": "centroid balancing (WACV 2020), every label revealed before the next pick"},
    pick=pick,
    needs=("features",),
    reveals=lambda strategy: True,
)
PREDICTED = Method(
    bases={"cds-bal-pred": "centroid balancing, the predicted class believed until the batch is labelled"},
    pick=pick_predicted,
    needs=("features",),
)
