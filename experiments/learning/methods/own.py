"""Strategies of the user's own: a function named MODULE:ATTRIBUTE in `config.strategies`.

    def select(key, view, lam, budget):       # a batch: Selection, or indices [budget] alone, -1 for padding
    def utility(logits, variance, key):       # [N], higher first: in all forms, mine.pick:utility-alfamous@8

`select.needs = ("features",)` asks for optional fields of the view; `select.reveals = True` says that a label may
decide the next pick of the same batch, as in a simulation. lam is `config.lam`.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from alfamous_jax.core.contract import Selection, without_objective
from experiments.learning.methods import cycle
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import OPTIONAL, View
from experiments.plan.dotted import check_parameters, resolve
from experiments.plan.strategies import FORMS

SELECT, UTILITY = ("key", "view", "lam", "budget"), ("logits", "variance", "key")


@cache
def method_of(base: str) -> Method:
    """The method of a user's function.

    Args:
      base: MODULE:ATTRIBUTE.

    Raises:
      ValueError: it is not there, takes other parameters, or needs what a view has not.
    """
    function = resolve(base, "config.strategies")
    found = check_parameters(function, (SELECT, UTILITY), f"config.strategies: {base!r}")
    if found == UTILITY:
        return Method(
            bases={base: "a utility of your own"},
            pick=cycle.pick,
            settings=partial(cycle.of_utility, function),
            check=cycle.check,
            forms=FORMS,
            options="rows of a query, for forms with updates",
            choose=cycle.choose,
            narrow=True,
            bayesian=lambda strategy: strategy.updates,
            reveals=lambda strategy: strategy.updates,
        )
    needs = tuple(getattr(function, "needs", ()))
    if unknown := [name for name in needs if name not in OPTIONAL]:
        raise ValueError(f"config.strategies: {base!r}: needs {unknown[0]!r}, expected some of {', '.join(OPTIONAL)}")
    return Method(
        bases={base: "a selection of your own"},
        pick=partial(_pick, function),
        needs=needs,
        weighs=True,
        reveals=lambda strategy: bool(getattr(function, "reveals", False)),
    )


def _pick(function: Callable[..., Any], key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    answer = function(key, view, lam, settings.budget)
    if isinstance(answer, Selection):
        return answer
    indices = jnp.asarray(answer)
    if indices.shape != (settings.budget,) or not jnp.issubdtype(indices.dtype, jnp.integer):
        raise ValueError(
            f"config.strategies: a selection must answer with Selection or indices [{settings.budget}], integers, "
            f"got {indices.dtype} {list(indices.shape)}"
        )
    return without_objective(indices.astype(jnp.int32), jnp.int32(0), view.phi.dtype)
