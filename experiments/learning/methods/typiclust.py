"""TypiClust: the most typical row of each cluster without a label, in the penultimate layer."""

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import typicality
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """The classifier is not asked."""
    assert view.features is not None
    found: Selection = typicality.select(key, view.features, view.labelled, view.available, budget=settings.budget)
    return found


METHOD = Method(
    bases={"typiclust": "the row in the densest place of each cluster that has no label (TypiClust, 2022)"},
    pick=pick,
    needs=("features",),
    draws="rows",
)
