"""The compiled steps of a cycle: train, evaluate, query."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import FrozenConfigDict

from alfamous_jax import acquisition, cycle, laplace, metrics
from alfamous_jax.autoencoders import stage_vae, vabal
from alfamous_jax.core import collectives
from alfamous_jax.laplace import Posterior
from alfamous_jax.networks import cross_validation, train
from alfamous_jax.networks.sngp import head_mean
from alfamous_jax.selection import balance, balance_lp
from experiments.learning import schemes, selectors, split_pool
from experiments.learning.selectors import METHODS, Settings, VabalSettings, View
from experiments.plan.strategies import Strategy

FLAT = ("identity", "mlp")  # backbones that flatten an image, as VAAL does then


class Scores(NamedTuple):
    """One point of a learning curve."""

    accuracy: jax.Array
    macro_f1: jax.Array
    recall: jax.Array  # [K]
    cbi: jax.Array  # min-max scaled, the scale of the published tables
    cbi_sum: jax.Array  # Eq. 9 as printed
    l1_score: jax.Array


class Query(NamedTuple):
    """What a cycle picked."""

    indices: jax.Array  # [b]
    ed_diversity: jax.Array
    kl_diversity: jax.Array
    num_selected: jax.Array
    num_invalid: jax.Array


class Programs(NamedTuple):
    """Jitted steps over all lanes of a group, one compilation each for a whole run."""

    train: Any
    evaluate: Any
    query: Any
    choose_lambda: Any  # used once, with config.lam = "auto"
    cross_validate: Any  # used by lanes that may switch


@lru_cache
def build_programs(config: FrozenConfigDict, setting: Strategy, num_lanes: int) -> Programs:
    """Jits the steps of a cycle of a strategy whose scheme is named and not "switch".

    Pass strategies that differ in `balanced` alone as one, and they share the programs.
    """
    sampled = setting.utility == "bald" and config.bald_samples
    settings = Settings(
        utility=_sampled_bald(config.bald_samples) if sampled else setting.utility,
        minibatch=setting.minibatch or config.budget,
        update=setting.update,
        budget=config.budget,
        num_samples=config.num_samples,
        vae_steps=config.vae_steps,
        vabal=_vabal_settings(config),
        axis_name=split_pool.AXIS if config.parallel == "pool" else None,
    )
    scheme = schemes.build(config, setting.scheme)
    model, axis_name = scheme.model, settings.axis_name

    def taken(array, pool, indices):
        """The rows at some positions of the pool, on every device."""
        return array[pool[indices]] if axis_name is None else collectives.take(array, indices, axis_name)

    def fit(key, start, data, pool, indices, count):
        if axis_name is None:
            return scheme.fit(key, start, data, pool[indices], count)
        labelled = data._replace(inputs=taken(data.inputs, pool, indices), labels=taken(data.labels, pool, indices))
        return collectives.first(scheme.fit(key, start, labelled, jnp.arange(indices.size), count), axis_name)

    def evaluate(variables, data, counts):
        test_inputs = scheme.inputs(data)[1]
        test = train.evaluate(variables, test_inputs, data.y_test, model=model, num_classes=config.num_classes)
        cbi = metrics.class_balance_index
        return Scores(*test, cbi(counts, "minmax"), cbi(counts, "sum"), metrics.l1_score(counts))

    def cross_validate(key, start, data, pool, indices, count):
        rows = pool[indices]
        inputs = scheme.inputs(data)[0]

        def predict(variables):
            return train.in_chunks(
                lambda chunk: jnp.argmax(model.apply(variables, inputs[chunk]).logits, axis=-1), rows
            )

        def refit(key, order, number):
            return scheme.fit(key, start, data, rows[order], number)[0]

        labels = data.labels[rows]
        return cross_validation.cross_validate(key, labels, count, num_folds=config.folds, fit=refit, predict=predict)

    def look(key, variables, data, pool, available, indices, count, counts):
        """The view of the pool, and which of its rows are in it: all, or `pool_subset` drawn ones and the labelled."""
        known = jnp.arange(indices.size) < count
        gone = collectives.places(jnp.where(known, indices, -1), available.size, axis_name)
        available = available.at[gone].set(False, mode="drop")
        if config.pool_subset:
            key, subset_key = jax.random.split(key)
            draws = jnp.where(available, jax.random.uniform(subset_key, available.shape), -1.0)
            drawn = jnp.sort(jax.lax.top_k(draws, min(config.pool_subset, pool.size))[1])
            places = jnp.concatenate([drawn, indices])
            available = jnp.concatenate([available[drawn], jnp.zeros_like(known)])
            labelled = jnp.concatenate([jnp.zeros(drawn.size, bool), known])
            known_rows = drawn.size + jnp.arange(indices.size)
        else:
            places, known_rows = jnp.arange(pool.size), indices  # places mean something on one device alone
            labelled = jnp.zeros_like(available).at[gone].set(True, mode="drop")

        seen = scheme.inputs(data)[0]

        def features(chunk):
            outputs = model.apply(variables, seen[chunk])
            hidden = outputs.features if setting.method in selectors.NEEDS_FEATURES else None
            return (
                outputs.phi.astype(config.pool_dtype),
                hidden,
                outputs.stages[-selectors.NUM_STAGES :] if setting.method in selectors.NEEDS_STAGES else None,
            )

        rows = pool[places]
        phi, hidden, stages = train.in_chunks(features, rows)
        samples = None
        if setting.method in selectors.NEEDS_SAMPLES:
            key, samples_key = jax.random.split(key)
            draws = {"model": model, "num_samples": config.num_samples}
            samples = train.mc_dropout(samples_key, variables, seen, rows, **draws)
        mean = head_mean(variables)
        if scheme.has_posterior:
            known_phi = collectives.take(phi, known_rows, axis_name)
            posterior = laplace.fit(mean, known_phi.astype(mean.dtype), known, config.ridge)
        else:  # zeros that are no constant: on a CPU jaxlib 0.10.2 makes sum((phi @ 0) * phi) NaN for one
            posterior = Posterior(mean, jnp.zeros((phi.shape[1],) * 2).at[0, 0].set(0.0 * mean[0, 0]))
        inputs = data.inputs.reshape(len(data.inputs), -1) if config.backbone in FLAT else data.inputs
        view = View(
            posterior, phi, data.labels[rows], available, labelled, counts, hidden, stages, samples, inputs, rows
        )
        return key, places, view

    def query(key, variables, data, pool, available, indices, count, counts, lam):
        key, places, view = look(key, variables, data, pool, available, indices, count, counts)
        picks = METHODS[setting.method](key, view, lam, settings)
        found = picks.indices
        if config.pool_subset:
            found = jnp.where(found >= 0, places[found], -1)
        if data.raw is None:
            shown = model.apply(variables, taken(scheme.inputs(data)[0], pool, found)).features
        else:
            shown = taken(data.raw, pool, found)
        diversity = metrics.euclidean_diversity(shown), metrics.kl_diversity(shown)
        return Query(found, *diversity, picks.num_selected, picks.num_invalid)

    def choose_lambda(key, variables, data, pool, available, indices, count, counts):
        key, _, view = look(key, variables, data, pool, available, indices, count, counts)
        state = cycle.init(view.posterior, view.phi, view.available, counts)
        utilities, probs = cycle.score(state, key, settings.utility)
        demand = balance.class_demand(counts, jnp.sum(counts) + config.budget)
        grid = jnp.asarray(config.lam_grid)
        return balance_lp.choose_lambda(utilities, probs, demand, view.available, config.budget, grid)

    lanewise = partial(_lanewise, num_lanes=num_lanes, split=axis_name is not None)
    return Programs(
        train=lanewise(fit, (0, 0, None, 0, 0, None)),
        evaluate=lanewise(evaluate, (0, None, 0)),
        query=lanewise(query, (0, 0, None, 0, 0, 0, None, 0, 0)),
        choose_lambda=lanewise(choose_lambda, (0, 0, None, 0, 0, 0, None, 0)),
        cross_validate=lanewise(cross_validate, (0, 0, None, 0, 0, None)),
    )


def _vabal_settings(config):
    fields = config.vabal
    training = stage_vae.Training(**{name: fields[name] for name in stage_vae.Training._fields})
    scoring = vabal.Scoring(**{name: fields[name] for name in vabal.Scoring._fields if name in fields})
    return VabalSettings(training, scoring, fields.constraint, fields.batch_norm, fields.kl_weight)


def _sampled_bald(num_samples):
    return lambda logits, variance, key: acquisition.bald_sampled(key, logits, variance, num_samples)


def _lanewise(function, in_axes, num_lanes, split):
    """Maps over lanes. One lane alone goes without `vmap`: products with a batch axis of one are slower on a CPU."""
    if num_lanes > 1:
        return jax.jit(jax.vmap(function, in_axes))

    def alone(*args):
        args = [
            arg if axis is None else jax.tree.map(lambda x: x[0], arg) for arg, axis in zip(args, in_axes, strict=True)
        ]
        return jax.tree.map(lambda x: x[None], function(*args))

    return split_pool.over_devices(alone) if split else jax.jit(alone)
