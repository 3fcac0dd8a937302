"""k-center (Core-set) in the penultimate layer, greedy or by integer programming, and KCenterGreedy-CB of CBAL."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core.contract import Selection, without_objective
from alfamous_jax.selection import diversity
from experiments.learning.methods._method import Method, by_own_batches, demand, probabilities
from experiments.learning.view import View
from experiments.plan.strategies import Strategy

ROBUST = "robust"
OUTLIERS, SECONDS = 1e-4, 60.0  # of the rows, as in the paper of Core-set; for each question to the solver


class Settings(NamedTuple):
    """Static."""

    budget: int
    axis_name: str | None
    robust: bool


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """The option says whether programmes are solved."""
    return Settings(config["budget"], axis_name, strategy.option == ROBUST)


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """Distances between penultimate features; with lam 0 the plain form."""
    assert view.features is not None
    if settings.robust:
        return _robust(view.features, view.labelled, view.available, settings.budget)
    return diversity.k_center_balanced(
        probabilities(view), demand(view, settings.budget), lam, view.features, view.labelled, view.available,
        budget=settings.budget, axis_name=settings.axis_name,
    )  # fmt: skip


def _robust(features: jax.Array, labelled: jax.Array, available: jax.Array, budget: int) -> Selection:
    """On the host, in the middle of the program."""

    def solve(*arrays: np.ndarray) -> np.ndarray:
        rows, known, free = map(np.asarray, arrays)
        chosen = diversity.k_center_robust(rows, known, free, budget=budget, outliers=OUTLIERS, seconds=SECONDS)
        return np.asarray(chosen.indices)

    shape = jax.ShapeDtypeStruct((budget,), jnp.int32)
    indices = jax.pure_callback(solve, shape, features, labelled, available, vmap_method="sequential")
    num_invalid = jnp.sum(available & ~jnp.all(jnp.isfinite(features), axis=1))
    return without_objective(indices, num_invalid, features.dtype)


def check(config: Mapping, strategy: Strategy) -> None:
    """Programmes are of few rows and of the plain form."""
    if not strategy.option:
        return
    if strategy.option != ROBUST or strategy.form:
        raise ValueError(f"{str(strategy)!r}: after @ comes {ROBUST}, for the plain form alone")
    if not 0 < config["pool_subset"] <= diversity.MOST_ROWS or config["parallel"] == "pool":
        raise ValueError(
            f"config.pool_subset: {str(strategy)!r} solves integer programmes of 1 to {diversity.MOST_ROWS:,} rows on "
            f"the host, got {config['pool_subset']} and config.parallel {config['parallel']!r}"
        )


METHOD = Method(
    bases={
        "kcenter": "the row farthest from all labelled ones, in the penultimate features (CBAL Algorithm 2); "
        "`kcenter@robust` is the batch of smallest radius by integer programming, outliers left out (Core-set, 2018)"
    },
    pick=pick,
    settings=settings,
    choose=by_own_batches(pick),  # the curve then has minus the covering radius
    check=check,
    options=ROBUST,
    forms=("", "cb"),
    needs=("features",),
    splits=True,
)
