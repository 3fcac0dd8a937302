"""A posterior whose covariance stays factored while labels come in: the base plus one column for each label.

    cov = base - sum_i shrink_i column_i column_i'

A label then reads D^2 numbers of the base and writes D, where `updates.apply` writes D^2. Results are the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import updates
from alfamous_jax.core.numerics import dot
from alfamous_jax.laplace import Posterior
from alfamous_jax.updates import Gain


class Factors(NamedTuple):
    """What labels have changed so far; the base covariance is kept beside it."""

    mean: jax.Array  # [K, D]
    columns: jax.Array  # [b, D], 0 for labels to come
    shrinks: jax.Array  # [b], likewise


def start(posterior: Posterior, budget: int) -> Factors:
    """Room for `budget` labels, none of them taken in yet."""
    empty = jnp.zeros((budget, posterior.cov.shape[0]), posterior.cov.dtype)
    return Factors(posterior.mean, empty, empty[:, 0])


def absorb(
    base: jax.Array,
    factors: Factors,
    features: jax.Array,
    label: jax.Array,
    slot: jax.Array,
    implicit: bool = False,
) -> tuple[Factors, Gain]:
    """Takes in one label (AL-FaMoUS Eq. 7).

    Args:
      base: covariance before the first label [D, D].
      factors: of the labels so far.
      features: of the labelled row [D]; zeros change nothing.
      label: its class [].
      slot: which of the b labels it is [].
      implicit: see `updates.gain`.

    Returns:
      the factors with this label, and its gain for `updates.refresh`.
    """
    column = dot(base, features)
    column -= dot(factors.shrinks * dot(factors.columns, features), factors.columns)
    gain = updates.gain(factors.mean, column, features, label, implicit=implicit)
    mean = factors.mean + jnp.outer(gain.step, column)
    return Factors(mean, factors.columns.at[slot].set(column), factors.shrinks.at[slot].set(gain.shrink)), gain


def multiply_out(base: jax.Array, factors: Factors) -> Posterior:
    """The posterior [K, D], [D, D] after the labels taken in."""
    return Posterior(factors.mean, base - dot(factors.columns.T * factors.shrinks, factors.columns))
