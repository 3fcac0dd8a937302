"""The compiled steps of a cycle: train, evaluate, query; one compilation each for a whole run."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
from ml_collections import FrozenConfigDict

from alfamous_jax.core.compiling import quick_jit
from experiments.learning import split_pool
from experiments.learning.programs._setup import Labelled, setup_of
from experiments.learning.programs.query import Query, choose_lambda, query
from experiments.learning.programs.train import Scores, cross_validate, evaluate, train
from experiments.plan.strategies import Strategy

__all__ = ["Labelled", "Programs", "Query", "Scores", "build_programs", "setup_of", "train"]

AXES: list[Any] = [None, 0, 0, None]  # pool and indices have an axis of lanes, neither data nor the number has
KNOWN = Labelled(*AXES)
Step = Callable[..., Any]


class Programs(NamedTuple):
    """Jitted steps over all lanes of a group."""

    train: Step  # (key, start, Labelled) -> variables, Learned
    evaluate: Step  # (variables, Labelled, counts) -> Scores
    query: Step  # (key, variables, Labelled, available, counts, lam) -> Query
    choose_lambda: Step  # (key, variables, Labelled, available, counts) -> lam, Curve; once, for lam "auto"
    cross_validate: Step  # (key, start, Labelled) -> accuracy; used by lanes that may switch


@lru_cache
def build_programs(config: FrozenConfigDict, strategy: Strategy, num_lanes: int) -> Programs:
    """Jits the steps of a cycle.

    Args:
      config: the experiment.
      strategy: of `Strategy.program`, so that those which differ in lam alone share a compilation; its scheme is not
        "switch".
      num_lanes: G.

    Returns:
      the steps.
    """
    setup = setup_of(config, strategy)
    # Without a network to train, steps run for less than they compile; but the integrals of BALD do not.
    jit = quick_jit() if config.backbone == "identity" and config.head == "map" else jax.jit
    lanewise = partial(_lanewise, num_lanes=num_lanes, jit=jit, split=setup.axis_name is not None)
    of_query = partial(lanewise, jit=jax.jit) if strategy.base == "bald" else lanewise
    return Programs(
        train=lanewise(partial(train, setup), (0, 0, KNOWN)),
        evaluate=lanewise(partial(evaluate, setup), (0, KNOWN, 0)),
        query=of_query(partial(query, setup), (0, 0, KNOWN, 0, 0, 0)),
        choose_lambda=of_query(partial(choose_lambda, setup), (0, 0, KNOWN, 0, 0)),
        cross_validate=lanewise(partial(cross_validate, setup), (0, 0, KNOWN)),
    )


def _lanewise(
    function: Step, in_axes: tuple[Any, ...], num_lanes: int, jit: Callable[[Step], Step], split: bool
) -> Step:
    """Maps over lanes. One lane alone goes without `vmap`: products with a batch axis of one are slower on a CPU."""
    if num_lanes > 1:
        return jit(jax.vmap(function, in_axes))

    def alone(*args: Any) -> Any:
        one = [_first(arg, axis) for arg, axis in zip(args, in_axes, strict=True)]
        return jax.tree.map(lambda x: x[None], function(*one))

    return split_pool.over_devices(alone) if split else jit(alone)


def _first(arg: Any, axis: Any) -> Any:
    """The only lane of an argument."""
    if isinstance(axis, Labelled):
        return Labelled(*map(_first, arg, axis))
    return arg if axis is None else jax.tree.map(lambda x: x[0], arg)
