"""MaxHerding, UHerding, ProbCover: rows that cover the pool, all of it or where the classifier is unsure."""

import jax

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import coverage
from experiments.learning.methods._method import Common, Method, by_own_batches, demand, probabilities
from experiments.learning.view import View


def maxherding(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Every row counts alike, in the balanced form by what its classes lack; a radius of 1."""
    return _cover(view, _classes(view, lam, settings), 1.0, settings)


def uherding(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Rows without a label count by how little their best class leads, within the distances of labelled rows."""
    assert view.features is not None
    weights = coverage.doubt(probabilities(view), view.labelled, settings.axis_name) * _classes(view, lam, settings)
    radius = coverage.least_distance(view.features, view.labelled, settings.axis_name)
    return _cover(view, weights, radius, settings)


def probcover(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Every row counts alike, in the balanced form by what its classes lack; clusters choose the radius."""
    assert view.features is not None
    found: Selection = coverage.prob_cover(
        key, _classes(view, lam, settings), view.features, view.labelled, view.available,
        budget=settings.budget, num_classes=len(view.counts),
    )  # fmt: skip
    return found


def _classes(view: View, lam: jax.Array, settings: Common) -> jax.Array:
    """Of the rows that are or were in the pool."""
    wanted, pool = demand(view, settings.budget), view.available | view.labelled
    weights: jax.Array = coverage.class_weights(probabilities(view), wanted, lam, pool, settings.axis_name)
    return weights


def _cover(view: View, weights: jax.Array, radius: jax.Array | float, settings: Common) -> Selection:
    assert view.features is not None
    found: Selection = coverage.select(
        weights, view.features, view.labelled, view.available,
        budget=settings.budget, radius=radius, axis_name=settings.axis_name,
    )  # fmt: skip
    return found


MAXHERDING = Method(
    bases={"maxherding": "the row that covers most of the pool under a kernel of the features (MaxHerding, 2024)"},
    pick=maxherding,
    choose=by_own_batches(maxherding),
    forms=("", "cb"),
    needs=("features",),
    splits=True,
)
UHERDING = MAXHERDING._replace(
    bases={"uherding": "the same among rows that the classifier is unsure of (UHerding, 2025)"},
    pick=uherding,
    choose=by_own_batches(uherding),
)
PROBCOVER = MAXHERDING._replace(
    bases={"probcover": "the row with most rows in a ball round it that is pure by k-means clusters (ProbCover, 2022)"},
    pick=probcover,
    choose=by_own_batches(probcover),
    splits=False,
    draws="rows",
)
