"""The view of the pool that a strategy gets: features, posterior, and what its method needs besides."""

from typing import Any

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.core import collectives
from alfamous_jax.laplace import Posterior
from alfamous_jax.networks import train
from alfamous_jax.networks.sngp import head_mean
from experiments.learning.programs._setup import Labelled, Setup
from experiments.learning.view import NUM_STAGES, View


def look(
    setup: Setup, key: jax.Array, variables: Any, known: Labelled, available: jax.Array, counts: jax.Array
) -> tuple[jax.Array, jax.Array, View]:
    """Shows a strategy the pool.

    Args:
      setup: of the program.
      key: consumed.
      variables: of the trained model.
      known: data, pool and labelled rows.
      available: rows that may be asked for or are labelled [N].
      counts: labels of each class [K].

    Returns:
      a key, the places in the pool of the view's rows (all of them, or `pool_subset` drawn ones and the labelled), and
      the view.
    """
    data, pool, indices, num = known
    model, needs = setup.scheme.model, setup.method.needs
    is_known = jnp.arange(indices.size) < num
    gone = collectives.places(jnp.where(is_known, indices, -1), available.size, setup.axis_name)
    available = available.at[gone].set(False, mode="drop")
    if setup.pool_subset:
        key, subset_key = jax.random.split(key)
        draws = jnp.where(available, jax.random.uniform(subset_key, available.shape), -1.0)
        drawn = jnp.sort(jax.lax.top_k(draws, min(setup.pool_subset, pool.size))[1])
        places = jnp.concatenate([drawn, indices])
        available = jnp.concatenate([available[drawn], jnp.zeros_like(is_known)])
        labelled = jnp.concatenate([jnp.zeros(drawn.size, bool), is_known])
        known_rows = drawn.size + jnp.arange(indices.size)
    else:
        places, known_rows = jnp.arange(pool.size), indices  # places mean something on one device alone
        labelled = jnp.zeros_like(available).at[gone].set(True, mode="drop")

    seen = setup.scheme.inputs(data)[0]

    def features(chunk: jax.Array) -> tuple[jax.Array, jax.Array | None, tuple[jax.Array, ...] | None]:
        outputs = model.apply(variables, seen[chunk])
        hidden = outputs.features if "features" in needs else None
        stages = outputs.stages[-NUM_STAGES:] if "stages" in needs else None
        return outputs.phi.astype(setup.pool_dtype), hidden, stages

    rows = pool[places]
    phi, hidden, stages = train.in_chunks(features, rows)
    samples = None
    if "prob_samples" in needs:
        key, samples_key = jax.random.split(key)
        samples = train.mc_dropout(samples_key, variables, seen, rows, model=model, num_samples=setup.num_samples)
    posterior = _posterior(setup, variables, phi, known_rows, is_known)
    inputs = data.inputs.reshape(len(data.inputs), -1) if setup.flat else data.inputs
    view = View(posterior, phi, data.labels[rows], available, labelled, counts, hidden, stages, samples, inputs, rows)
    return key, places, view


def _posterior(setup: Setup, variables: Any, phi: jax.Array, known_rows: jax.Array, is_known: jax.Array) -> Posterior:
    mean = head_mean(variables)
    if setup.scheme.has_posterior:
        known_phi = collectives.take(phi, known_rows, setup.axis_name)
        ridge = variables["posterior"]["ridge"] if "posterior" in variables else setup.ridge
        return laplace.fit(mean, known_phi.astype(mean.dtype), is_known, ridge)
    # Zeros that are no number spread over a matrix, of which jaxlib 0.10.2 makes garbage: docs/upstream.
    return Posterior(mean, jnp.zeros((phi.shape[1],) * 2).at[0, 0].set(0.0 * mean[0, 0]))
