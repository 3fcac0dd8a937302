"""The picks of a cycle, and the choice of lam before the first."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import metrics
from alfamous_jax.selection import balance_lp
from experiments.learning.programs._setup import Labelled, Setup, taken
from experiments.learning.programs.look import look


class Query(NamedTuple):
    """What a cycle picked."""

    indices: jax.Array  # [b]
    ed_diversity: jax.Array
    kl_diversity: jax.Array
    num_selected: jax.Array
    num_invalid: jax.Array


def query(
    setup: Setup,
    key: jax.Array,
    variables: Any,
    known: Labelled,
    available: jax.Array,
    counts: jax.Array,
    lam: jax.Array,
) -> Query:
    """Picks by the method of the setup; diversity is measured in the input space, of images in the features."""
    data, pool = known.data, known.pool
    key, places, view = look(setup, key, variables, known, available, counts)
    picks = setup.method.pick(key, view, lam, setup.settings)
    found = picks.indices
    if setup.pool_subset:
        found = jnp.where(found >= 0, places[found], -1)
    if data.raw is None:
        shown = setup.scheme.model.apply(variables, taken(setup, setup.scheme.inputs(data)[0], pool, found)).features
    else:
        shown = taken(setup, data.raw, pool, found)
    diversity = metrics.euclidean_diversity(shown), metrics.kl_diversity(shown)
    return Query(found, *diversity, picks.num_selected, picks.num_invalid)


def choose_lambda(
    setup: Setup, key: jax.Array, variables: Any, known: Labelled, available: jax.Array, counts: jax.Array
) -> tuple[jax.Array, balance_lp.Curve]:
    """The lam of `setup.lam_grid` past which the L1 term of the method's own batches stops falling, and the curve."""
    assert setup.method.choose is not None, "a config with lam 'auto' has strategies that choose it"
    key, _, view = look(setup, key, variables, known, available, counts)
    return setup.method.choose(key, view, setup.settings, jnp.asarray(setup.lam_grid))
