"""From a config to arrays, a model and compiled steps."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import FrozenConfigDict

from alfamous_jax import acquisition, balance, balance_lp, cycle, datasets, laplace, metrics, train
from alfamous_jax.models.mlp import ResidualMLP
from alfamous_jax.models.sngp import SNGP, head_mean
from experiments.strategies import Lane, Strategy


class Keys(NamedTuple):
    """The random streams of a seed; every strategy gets the same, so that they compare in pairs."""

    pool: jax.Array
    initial: jax.Array
    model: jax.Array
    train: jax.Array
    query: jax.Array


class Problem(NamedTuple):
    """What a group of G lanes works on; the first axis is the lane."""

    inputs: jax.Array  # [G, N, ...], scaled
    raw: jax.Array  # [G, N, F], as in the file, shifted to be non-negative
    labels: jax.Array  # [G, N]
    available: jax.Array  # [G, N]
    rows: np.ndarray  # [G, N], rows of the training set
    initial: np.ndarray  # [G, b0], positions in the pool
    variables: Any  # leaves [G, ...], where every training starts
    x_test: jax.Array
    y_test: jax.Array


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
    return datasets.load(config.dataset, config.num_classes, config.test_rows)


def build_model(config: FrozenConfigDict) -> SNGP:
    """The network of a config."""
    backbone = ResidualMLP(config.width, config.depth, config.spectral_bound)
    return SNGP(backbone, config.num_classes, config.num_features, config.kernel_scale)


def build_problem(config: FrozenConfigDict, lanes: tuple[Lane, ...]) -> Problem:
    """Arrays of a group of lanes."""
    dataset = load_dataset(config)
    x_train, x_test = datasets.standardize(dataset)
    raw = dataset.x_train.reshape(len(x_train), -1).astype(np.float32)
    raw -= min(raw.min(), 0.0)
    pools = [seed_pool(config, dataset, lane.seed) for lane in lanes]
    keys = [seed_keys(lane.seed) for lane in lanes]
    rows = np.stack([pool.rows for pool in pools])
    model = build_model(config)
    start = [model.init(key.model, x_train[:1]) for key in keys]
    return Problem(
        inputs=jnp.asarray(x_train[rows]),
        raw=jnp.asarray(raw[rows]),
        labels=jnp.asarray(dataset.y_train[rows]),
        available=jnp.asarray(np.stack([pool.available for pool in pools])),
        rows=rows,
        initial=np.stack(
            [datasets.initial_rows(k.initial, p, config.initial) for k, p in zip(keys, pools, strict=True)]
        ),
        variables=jax.tree.map(lambda *leaves: jnp.stack(leaves), *start),
        x_test=jnp.asarray(x_test),
        y_test=jnp.asarray(dataset.y_test),
    )


@lru_cache
def build_programs(config: FrozenConfigDict, setting: Strategy, num_lanes: int) -> Programs:
    """Jits the steps of a cycle; pass strategies that differ in `balanced` alone as one, and they share them."""
    model = build_model(config)
    utility = _bald(config.bald_samples) if setting.utility == "bald" else setting.utility
    fit = partial(
        train.fit,
        model=model,
        optimizer=train.direction(config.optimizer, momentum=config.momentum, weight_decay=config.weight_decay),
        schedule=optax.cosine_decay_schedule(config.learning_rate, config.epochs),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )

    def evaluate(variables, x_test, y_test, counts):
        test = train.evaluate(variables, x_test, y_test, model=model, num_classes=config.num_classes)
        cbi = metrics.class_balance_index
        return Scores(*test, cbi(counts, "minmax"), cbi(counts, "sum"), metrics.l1_score(counts))

    def look(variables, inputs, available, indices, count):
        phi = model.apply(variables, inputs).phi
        known = jnp.arange(indices.size) < count
        posterior = laplace.fit(head_mean(variables), phi[indices], known, config.ridge)
        return phi, posterior, available.at[jnp.where(known, indices, available.size)].set(False, mode="drop")

    def query(key, variables, inputs, raw, labels, available, indices, count, counts, lam):
        phi, posterior, available = look(variables, inputs, available, indices, count)
        _, info = cycle.run(
            key, posterior, phi, labels, available, counts,
            utility=utility, lam=lam, budget=config.budget,
            minibatch=setting.minibatch or config.budget, update=setting.update,
        )  # fmt: skip
        batch = raw[info.indices]
        diversity = metrics.euclidean_diversity(batch), metrics.kl_diversity(batch)
        return Query(info.indices, *diversity, info.num_selected, info.num_invalid)

    def choose_lambda(key, variables, inputs, available, indices, count, counts):
        phi, posterior, available = look(variables, inputs, available, indices, count)
        state = cycle.init(posterior, phi, available, counts)
        utilities, probs = cycle.score(state, key, utility)
        demand = balance.class_demand(counts, jnp.sum(counts) + config.budget)
        grid = jnp.asarray(config.lam_grid)
        return balance_lp.choose_lambda(utilities, probs, demand, available, config.budget, grid)

    return Programs(
        train=_lanewise(fit, (0, 0, 0, 0, 0, None), num_lanes),
        evaluate=_lanewise(evaluate, (0, None, None, 0), num_lanes),
        query=_lanewise(query, (0, 0, 0, 0, 0, 0, 0, None, 0, 0), num_lanes),
        choose_lambda=_lanewise(choose_lambda, (0, 0, 0, 0, 0, None, 0), num_lanes),
    )


def _bald(num_samples):
    return lambda logits, variance, key: acquisition.bald_gaussian(key, logits, variance, num_samples)


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
