"""k-center (Core-set) in the penultimate layer, and KCenterGreedy-CB of CBAL."""

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import diversity
from experiments.learning.methods._method import Common, Method, demand, probabilities
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Distances between penultimate features; with lam 0 the plain form."""
    assert view.features is not None
    return diversity.k_center_balanced(
        probabilities(view), demand(view, settings.budget), lam, view.features, view.labelled, view.available,
        budget=settings.budget, axis_name=settings.axis_name,
    )  # fmt: skip


METHOD = Method(
    bases={"kcenter": "the row farthest from all labelled ones, in the penultimate features (CBAL Algorithm 2)"},
    pick=pick,
    forms=("", "cb"),
    needs=("features",),
    splits=True,
)
