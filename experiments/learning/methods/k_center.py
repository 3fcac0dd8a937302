"""k-center (Core-set) in the penultimate layer, and KCenterGreedy-CB of CBAL."""

import jax
import jax.numpy as jnp

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import diversity
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.methods._method import Common, Method, choose_lambda, demand, probabilities
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """Distances between penultimate features; with lam 0 the plain form."""
    assert view.features is not None
    return diversity.k_center_balanced(
        probabilities(view), demand(view, settings.budget), lam, view.features, view.labelled, view.available,
        budget=settings.budget, axis_name=settings.axis_name,
    )  # fmt: skip


def choose(key: jax.Array, view: View, settings: Common, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By its own greedy batches; what the curve has for their utility is minus the covering radius."""
    probs = probabilities(view)
    nothing = jnp.zeros(len(probs), probs.dtype)
    lam, curve = choose_lambda(nothing, probs, view, settings.budget, grid, lambda lam: pick(key, view, lam, settings))
    return lam, curve._replace(utility=-curve.objective)


METHOD = Method(
    bases={"kcenter": "the row farthest from all labelled ones, in the penultimate features (CBAL Algorithm 2)"},
    pick=pick,
    choose=choose,
    forms=("", "cb"),
    needs=("features",),
    splits=True,
)
