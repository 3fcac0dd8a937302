"""The compiled steps of a cycle: train, evaluate, query."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import FrozenConfigDict

from alfamous_jax import (
    acquisition,
    augment,
    balance,
    balance_lp,
    cycle,
    datasets,
    laplace,
    metrics,
    stage_vae,
    train,
    vabal,
)
from alfamous_jax.models.sngp import head_mean
from experiments import selectors
from experiments.problem import build_model, load_dataset
from experiments.selectors import METHODS, Settings, VabalSettings, View
from experiments.strategies import Strategy

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


@lru_cache
def build_programs(config: FrozenConfigDict, setting: Strategy, num_lanes: int) -> Programs:
    """Jits the steps of a cycle; pass strategies that differ in `balanced` alone as one, and they share them."""
    model = build_model(config)
    sampled = setting.utility == "bald" and config.bald_samples
    settings = Settings(
        utility=_sampled_bald(config.bald_samples) if sampled else setting.utility,
        minibatch=setting.minibatch or config.budget,
        update=setting.update,
        budget=config.budget,
        num_samples=config.num_samples,
        vae_steps=config.vae_steps,
        vabal=_vabal_settings(config),
    )
    training = {
        "model": model,
        "optimizer": train.direction(config.optimizer, momentum=config.momentum, weight_decay=config.weight_decay),
        "schedule": _schedule(config),
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "augment": _augmentation(config),
        "dropout": config.dropout > 0,
    }

    def fit(key, start, data, pool, indices, count):
        return train.fit(key, start, data.inputs, data.labels, pool[indices], count, **training)

    def evaluate(variables, data, counts):
        test = train.evaluate(variables, data.x_test, data.y_test, model=model, num_classes=config.num_classes)
        cbi = metrics.class_balance_index
        return Scores(*test, cbi(counts, "minmax"), cbi(counts, "sum"), metrics.l1_score(counts))

    def look(key, variables, data, pool, available, indices, count, counts):
        """The view of the pool, and which of its rows are in it: all, or `pool_subset` drawn ones and the labelled."""
        known = jnp.arange(indices.size) < count
        gone = jnp.where(known, indices, available.size)
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
            places, known_rows = jnp.arange(pool.size), indices
            labelled = jnp.zeros_like(available).at[gone].set(True, mode="drop")

        def features(chunk):
            outputs = model.apply(variables, data.inputs[chunk])
            hidden = outputs.features if setting.method in selectors.NEEDS_FEATURES else None
            return (
                outputs.phi,
                hidden,
                outputs.stages[-selectors.NUM_STAGES :] if setting.method in selectors.NEEDS_STAGES else None,
            )

        rows = pool[places]
        phi, hidden, stages = train.in_chunks(features, rows)
        samples = None
        if setting.method in selectors.NEEDS_SAMPLES:
            key, samples_key = jax.random.split(key)
            draws = {"model": model, "num_samples": config.num_samples}
            samples = train.mc_dropout(samples_key, variables, data.inputs, rows, **draws)
        posterior = laplace.fit(head_mean(variables), phi[known_rows], known, config.ridge)
        inputs = data.inputs.reshape(len(data.inputs), -1) if config.backbone in FLAT else data.inputs
        view = View(
            posterior, phi, data.labels[rows], available, labelled, counts, hidden, stages, samples, inputs, rows
        )
        return key, places, view

    def query(key, variables, data, pool, available, indices, count, counts, lam):
        key, places, view = look(key, variables, data, pool, available, indices, count, counts)
        picks = METHODS[setting.method](key, view, lam, settings)
        found = jnp.where(picks.indices >= 0, places[picks.indices], -1)
        rows = pool[found]
        seen = model.apply(variables, data.inputs[rows]).features if data.raw is None else data.raw[rows]
        diversity = metrics.euclidean_diversity(seen), metrics.kl_diversity(seen)
        return Query(found, *diversity, picks.num_selected, picks.num_invalid)

    def choose_lambda(key, variables, data, pool, available, indices, count, counts):
        key, _, view = look(key, variables, data, pool, available, indices, count, counts)
        state = cycle.init(view.posterior, view.phi, view.available, counts)
        utilities, probs = cycle.score(state, key, settings.utility)
        demand = balance.class_demand(counts, jnp.sum(counts) + config.budget)
        grid = jnp.asarray(config.lam_grid)
        return balance_lp.choose_lambda(utilities, probs, demand, view.available, config.budget, grid)

    return Programs(
        train=_lanewise(fit, (0, 0, None, 0, 0, None), num_lanes),
        evaluate=_lanewise(evaluate, (0, None, 0), num_lanes),
        query=_lanewise(query, (0, 0, None, 0, 0, 0, None, 0, 0), num_lanes),
        choose_lambda=_lanewise(choose_lambda, (0, 0, None, 0, 0, 0, None, 0), num_lanes),
    )


def _augmentation(config):
    """The distortions of training images; black and white are where the scaling of the data put them."""
    if config.augment == "none":
        return None
    mean, deviation = datasets.moments(load_dataset(config))
    black, white = (np.float32((end - mean) / deviation) for end in (0, 255))

    def affine(key, images):
        affine_key, jitter_key = jax.random.split(key)
        return augment.jitter(jitter_key, augment.affine(affine_key, images, black), black, white)

    return affine if config.augment == "affine" else partial(augment.flip_and_crop, black=black)


def _schedule(config):
    """Learning rate by epoch: a cosine to 0, or lower by config.decay at every milestone."""
    if not config.milestones:
        return optax.cosine_decay_schedule(config.learning_rate, config.epochs)
    return optax.piecewise_constant_schedule(config.learning_rate, dict.fromkeys(config.milestones, config.decay))


def _vabal_settings(config):
    fields = config.vabal
    training = stage_vae.Training(**{name: fields[name] for name in stage_vae.Training._fields})
    scoring = vabal.Scoring(**{name: fields[name] for name in vabal.Scoring._fields if name in fields})
    return VabalSettings(training, scoring, fields.constraint, fields.batch_norm, fields.kl_weight)


def _sampled_bald(num_samples):
    return lambda logits, variance, key: acquisition.bald_sampled(key, logits, variance, num_samples)


def _lanewise(function, in_axes, num_lanes):
    """Maps over lanes. One lane alone goes without `vmap`: products with a batch axis of one are slower on a CPU."""
    if num_lanes > 1:
        return jax.jit(jax.vmap(function, in_axes))

    def alone(*args):
        args = [
            arg if axis is None else jax.tree.map(lambda x: x[0], arg) for arg, axis in zip(args, in_axes, strict=True)
        ]
        return jax.tree.map(lambda x: x[None], function(*args))

    return jax.jit(alone)
