"""What the compiled steps of a run are told once."""

from typing import Any, NamedTuple

import jax
from ml_collections import FrozenConfigDict

from alfamous_jax.core import collectives
from experiments.learning import schemes, split_pool
from experiments.learning.methods import method_of
from experiments.learning.methods._method import Method
from experiments.learning.problem import Data
from experiments.learning.schemes import Scheme
from experiments.plan.strategies import Strategy

FLAT = ("identity", "mlp")  # backbones that flatten an image, as VAAL does then


class Setup(NamedTuple):
    """Static settings of the steps of a strategy."""

    scheme: Scheme
    method: Method
    settings: Any  # of the method
    num_classes: int
    budget: int
    ridge: float
    pool_dtype: str
    pool_subset: int  # rows of the pool that a cycle looks at, 0 for all
    num_samples: int  # of dropout masks
    folds: int
    lam_grid: tuple[float, ...]
    flat: bool  # whether inputs are shown as vectors
    axis_name: str | None  # of a pool that is split over devices


class Labelled(NamedTuple):
    """What every step of a lane is given."""

    data: Data
    pool: jax.Array  # [N], rows of `data`
    indices: jax.Array  # [L], positions in the pool of what is labelled, padded
    num: jax.Array  # [], how many of them are


def setup_of(config: FrozenConfigDict, strategy: Strategy) -> Setup:
    """The settings of a strategy whose scheme is named and not "switch"."""
    method = method_of(strategy)
    axis_name = split_pool.AXIS if config.parallel == "pool" else None
    return Setup(
        scheme=schemes.build(config, strategy.scheme),
        method=method,
        settings=method.settings(config, strategy, axis_name),
        num_classes=config.num_classes,
        budget=config.budget,
        ridge=config.ridge,
        pool_dtype=config.pool_dtype,
        pool_subset=config.pool_subset,
        num_samples=config.num_samples,
        folds=config.folds,
        lam_grid=tuple(config.lam_grid),
        flat=config.backbone in FLAT,
        axis_name=axis_name,
    )


def taken(setup: Setup, array: jax.Array, pool: jax.Array, indices: jax.Array) -> jax.Array:
    """The rows of an array at some positions of the pool, on every device."""
    if setup.axis_name is None:
        return array[pool[indices]]
    return collectives.take(array, indices, setup.axis_name)
