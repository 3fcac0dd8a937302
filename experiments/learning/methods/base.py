"""BASE: the rows nearest to the border of every class, in the inputs of the last layer."""

import jax

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import boundary
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """At the mean weights."""
    logits, weights = laplace.predict(view.posterior, view.phi)[0], view.posterior.mean
    found: Selection = boundary.base(
        logits, weights, view.counts, view.available, budget=settings.budget, axis_name=settings.axis_name
    )
    return found


METHOD = Method(
    bases={"base": "the rows nearest to the border of each class, the classes in turn (BASE, 2021)"},
    pick=pick,
    splits=True,
)
