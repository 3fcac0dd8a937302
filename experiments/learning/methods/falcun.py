"""FALCUN: rows that the classifier is unsure of, each in another way."""

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import falcun
from experiments.learning.methods._method import Common, Method, probabilities
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """On mean-field probabilities."""
    found: Selection = falcun.select(
        key, probabilities(view), view.available, budget=settings.budget, axis_name=settings.axis_name
    )
    return found


METHOD = Method(
    bases={"falcun": "rows drawn by their doubt and by how far their probabilities are from the picks' (FALCUN, 2024)"},
    pick=pick,
    splits=True,
    draws="rows",
)
