"""What a strategy is to the driver: a pick, what it needs, its settings and its rules."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance, balance_lp
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.view import View
from experiments.plan.strategies import Strategy

Pick = Callable[[jax.Array, View, jax.Array, Any], Selection]
Choose = Callable[[jax.Array, View, Any, jax.Array], tuple[jax.Array, Curve]]  # (key, view, settings, grid)


class Common(NamedTuple):
    """Settings of a method that has none of its own; static."""

    budget: int
    axis_name: str | None = None  # the mesh axis that the rows are split over, for methods with `splits`


def common(config: Mapping, strategy: Strategy, axis_name: str | None) -> Common:
    """The budget of a config, and the mesh axis."""
    return Common(config["budget"], axis_name)


def nothing(config: Mapping, strategy: Strategy) -> None:
    """No rule."""


class Method(NamedTuple):
    """One way of picking rows; a file of this folder holds it with all that belongs to it."""

    bases: Mapping[str, str]  # names, each with its row of the docs' table
    pick: Pick  # (key, view, lam [], settings) -> Selection; traced
    settings: Callable[[Mapping, Strategy, str | None], Any] = common  # of a config, a name and a mesh axis; hashable
    check: Callable[[Mapping, Strategy], None] = nothing  # ValueError for a config that it cannot be run under
    forms: tuple[str, ...] = ("",)  # of `strategies.FORMS`
    options: str = ""  # what may stand after @, in words
    needs: tuple[str, ...] = ()  # of `view.OPTIONAL`
    weighs: bool = False  # whether it takes lam without a balanced form too
    choose: Choose | None = None  # what chooses lam where it is "auto"; traced
    narrow: bool = False  # whether it works on a pool in bfloat16
    splits: bool = False  # whether it works on a pool whose rows are split over devices
    bayesian: Callable[[Strategy], bool] = lambda strategy: False  # whether it asks for a posterior of the last layer
    draws: str = ""  # what its noise belongs to: "rows" of the pool, "training" of a network of its own, or the "batch"
    reveals: Callable[[Strategy], bool] = lambda strategy: False  # whether a label decides the next pick of its batch


def demand(view: View, budget: int) -> jax.Array:
    """What each class is short of an equal share after the batch (CBAL Eq. 4)."""
    return balance.class_demand(view.counts, jnp.sum(view.counts) + budget)


def probabilities(view: View) -> jax.Array:
    """Mean-field class probabilities of the rows [N, K]."""
    return laplace.mean_field(*laplace.predict(view.posterior, view.phi))


def choose_lambda(
    utility: jax.Array,
    probs: jax.Array,
    view: View,
    budget: int,
    grid: jax.Array,
    select: Callable[[jax.Array], Selection] | None = None,
) -> tuple[jax.Array, Curve]:
    """`balance_lp.choose_lambda` on a view: the smallest lam of the grid past which the L1 term stops falling."""
    short = demand(view, budget)
    return balance_lp.choose_lambda(utility, probs, short, view.available, budget=budget, grid=grid, select=select)


def by_own_batches(pick: Pick) -> Choose:
    """What chooses lam for a method without a utility: in its place the curve has minus what the method minimises."""

    def choose(key: jax.Array, view: View, settings: Any, grid: jax.Array) -> tuple[jax.Array, Curve]:
        probs = probabilities(view)
        nothing = jnp.zeros(len(probs), probs.dtype)
        lam, curve = choose_lambda(
            nothing, probs, view, settings.budget, grid, lambda lam: pick(key, view, lam, settings)
        )
        return lam, curve._replace(utility=-curve.objective)

    return choose


def balanced_batch(utility: jax.Array, probs: jax.Array, view: View, lam: jax.Array, budget: int) -> Selection:
    """`balance_lp.select_batch` on a view."""
    return balance_lp.select_batch(utility, probs, demand(view, budget), lam, view.available, budget=budget)
