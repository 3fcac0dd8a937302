"""From a config to arrays, a model and compiled steps."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import FrozenConfigDict

from alfamous_jax import acquisition, augment, balance, balance_lp, cycle, datasets, laplace, metrics, train
from alfamous_jax.models.mlp import ResidualMLP
from alfamous_jax.models.resnet import resnet6, resnet18
from alfamous_jax.models.sngp import SNGP, head_mean
from alfamous_jax.models.tcn import TCN
from experiments.strategies import Lane, Strategy


class Keys(NamedTuple):
    """The random streams of a seed; every strategy gets the same, so that they compare in pairs."""

    pool: jax.Array
    initial: jax.Array
    model: jax.Array
    train: jax.Array
    query: jax.Array


class Data(NamedTuple):
    """What all lanes share: the training set of M rows, and the test set."""

    inputs: jax.Array  # [M, ...], scaled
    labels: jax.Array  # [M]
    raw: jax.Array | None  # [M, F], as in the file, shifted to be non-negative; None for images
    x_test: jax.Array
    y_test: jax.Array


class Problem(NamedTuple):
    """What a group of G lanes works on; the first axis is the lane, but in `data`."""

    data: Data
    pool: jax.Array  # [G, N], rows of the training set
    available: jax.Array  # [G, N]
    initial: np.ndarray  # [G, b0], positions in the pool
    variables: Any  # leaves [G, ...], where every training starts


class Scores(NamedTuple):
    """One point of a learning curve."""

    accuracy: jax.Array
    macro_f1: jax.Array
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


def seed_keys(seed: int) -> Keys:
    """The streams of a seed."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def seed_pool(config: FrozenConfigDict, dataset: datasets.Dataset, seed: int) -> datasets.Pool:
    """The imbalanced pool of a seed."""
    return datasets.imbalanced_pool(seed_keys(seed).pool, dataset, config.minority_share, config.minority_ratio)


@lru_cache(maxsize=1)
def load_dataset(config: FrozenConfigDict) -> datasets.Dataset:
    """The data set of a config, read once a process."""
    dataset = datasets.load(config.dataset, config.num_classes, config.test_rows)
    return dataset if config.scaling == "auto" else dataset._replace(scaling=config.scaling)


@lru_cache(maxsize=1)
def load_data(config: FrozenConfigDict) -> Data:
    """The arrays of a config on the device, put there once a process."""
    dataset = load_dataset(config)
    x_train, x_test = datasets.standardize(dataset)
    raw = None
    if x_train.ndim == 2:
        raw = dataset.x_train.astype(np.float32)
        raw -= min(raw.min(), 0.0)
    return Data(*jax.tree.map(jnp.asarray, (x_train, dataset.y_train, raw, x_test, dataset.y_test)))


def build_model(config: FrozenConfigDict) -> SNGP:
    """The network of a config."""
    bound = config.spectral_bound
    backbones = {
        "mlp": lambda: ResidualMLP(config.width, config.depth, bound),
        "tcn": lambda: TCN(config.width, config.depth, bound=bound),
        "resnet6": lambda: resnet6(bound),
        "resnet18": lambda: resnet18(bound),
    }
    return SNGP(backbones[config.backbone](), config.num_classes, config.num_features, config.kernel_scale)


def build_problem(config: FrozenConfigDict, lanes: tuple[Lane, ...]) -> Problem:
    """Arrays of a group of lanes."""
    dataset, data, model = load_dataset(config), load_data(config), build_model(config)
    pools = [seed_pool(config, dataset, lane.seed) for lane in lanes]
    keys = [seed_keys(lane.seed) for lane in lanes]
    start = [model.init(key.model, data.inputs[:1]) for key in keys]
    return Problem(
        data=data,
        pool=jnp.asarray(np.stack([pool.rows for pool in pools])),
        available=jnp.asarray(np.stack([pool.available for pool in pools])),
        initial=np.stack(
            [datasets.initial_rows(k.initial, p, config.initial) for k, p in zip(keys, pools, strict=True)]
        ),
        variables=jax.tree.map(lambda *leaves: jnp.stack(leaves), *start),
    )


@lru_cache
def build_programs(config: FrozenConfigDict, setting: Strategy, num_lanes: int) -> Programs:
    """Jits the steps of a cycle; pass strategies that differ in `balanced` alone as one, and they share them."""
    model = build_model(config)
    sampled = setting.utility == "bald" and config.bald_samples
    utility = _sampled_bald(config.bald_samples) if sampled else setting.utility
    settings = {
        "model": model,
        "optimizer": train.direction(config.optimizer, momentum=config.momentum, weight_decay=config.weight_decay),
        "schedule": optax.cosine_decay_schedule(config.learning_rate, config.epochs),
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "augment": _augmentation(config),
    }

    def fit(key, start, data, pool, indices, count):
        return train.fit(key, start, data.inputs, data.labels, pool[indices], count, **settings)

    def evaluate(variables, data, counts):
        test = train.evaluate(variables, data.x_test, data.y_test, model=model, num_classes=config.num_classes)
        cbi = metrics.class_balance_index
        return Scores(*test, cbi(counts, "minmax"), cbi(counts, "sum"), metrics.l1_score(counts))

    def features(variables, data, rows):
        return train.in_chunks(lambda chunk: model.apply(variables, data.inputs[chunk]).phi, rows)

    def look(variables, data, pool, available, indices, count, subset_key=None):
        """Which rows of the pool are scored (all, or `pool_subset` drawn ones), their features, the posterior."""
        known = jnp.arange(indices.size) < count
        available = available.at[jnp.where(known, indices, available.size)].set(False, mode="drop")
        if subset_key is None:
            some, phi = jnp.arange(pool.size), features(variables, data, pool)
            known_phi = phi[indices]
        else:
            draws = jnp.where(available, jax.random.uniform(subset_key, available.shape), -1.0)
            some = jnp.sort(jax.lax.top_k(draws, min(config.pool_subset, pool.size))[1])
            phi, known_phi = features(variables, data, pool[some]), features(variables, data, pool[indices])
        return some, phi, laplace.fit(head_mean(variables), known_phi, known, config.ridge), available[some]

    def query(key, variables, data, pool, available, indices, count, counts, lam):
        key, subset_key = jax.random.split(key) if config.pool_subset else (key, None)
        some, phi, posterior, available = look(variables, data, pool, available, indices, count, subset_key)
        _, info = cycle.run(
            key, posterior, phi, data.labels[pool[some]], available, counts,
            utility=utility, lam=lam, budget=config.budget,
            minibatch=setting.minibatch or config.budget, update=setting.update,
        )  # fmt: skip
        picked = pool[some[info.indices]]
        seen = model.apply(variables, data.inputs[picked]).features if data.raw is None else data.raw[picked]
        diversity = metrics.euclidean_diversity(seen), metrics.kl_diversity(seen)
        found = jnp.where(info.indices >= 0, some[info.indices], -1)
        return Query(found, *diversity, info.num_selected, info.num_invalid)

    def choose_lambda(key, variables, data, pool, available, indices, count, counts):
        _, phi, posterior, available = look(variables, data, pool, available, indices, count)
        state = cycle.init(posterior, phi, available, counts)
        utilities, probs = cycle.score(state, key, utility)
        demand = balance.class_demand(counts, jnp.sum(counts) + config.budget)
        grid = jnp.asarray(config.lam_grid)
        return balance_lp.choose_lambda(utilities, probs, demand, available, config.budget, grid)

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
