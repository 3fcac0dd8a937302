"""DropQuery: rows whose class depends on few features, one of each cluster in the penultimate layer."""

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import dropquery
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Three passes at the mean weights."""
    assert view.features is not None
    drop_key, key = jax.random.split(key)
    doubt = dropquery.disagreement(drop_key, view.posterior.mean, view.phi)
    found: Selection = dropquery.select(key, doubt, view.features, view.available, budget=settings.budget)
    return found


METHOD = Method(
    bases={"dropquery": "rows predicted otherwise once features are dropped, one of each cluster (DropQuery, 2024)"},
    pick=pick,
    needs=("features",),
    draws="rows",
)
