"""From a config to arrays, and to where every training starts."""

import pathlib
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax import datasets
from alfamous_jax.datasets import finite, split
from alfamous_jax.networks import feature_maps, mapped
from alfamous_jax.networks.linear import Identity, Linear
from experiments.learning import conditions, sources, split_pool
from experiments.learning.models import BACKBONES, build_backbone, build_model, chooses_ridge
from experiments.plan.automatic import AUTO
from experiments.plan.dotted import call, check_parameters, is_dotted, resolve
from experiments.plan.strategies import NETWORKS, parse, scheme_of


class Keys(NamedTuple):
    """The random streams of a seed; every strategy gets the same, so that they compare in pairs."""

    pool: jax.Array
    initial: jax.Array
    model: jax.Array
    train: jax.Array
    query: jax.Array


class Data(NamedTuple):
    """What all lanes share: the training set of M rows, and the test set; of a pool that is split, its rows alone."""

    inputs: jax.Array  # [M, ...], scaled
    labels: jax.Array  # [M]
    raw: jax.Array | None  # [M, F], as in the file, shifted to be non-negative; None for images
    x_test: jax.Array
    y_test: jax.Array
    fixed: tuple[jax.Array, jax.Array] | None = None  # [M, H], [T, H], what an SVM sees of the rows and the test set
    source_probs: jax.Array | None = None  # [M, K'], what a source network takes the rows for


class Problem(NamedTuple):
    """What a group of G lanes works on; the first axis is the lane, but in `data`."""

    data: Data
    rows: np.ndarray  # [G, N], of the training set, that are in the pool
    pool: jax.Array  # [G, N], where they are in `data`
    available: jax.Array  # [G, N]
    initial: np.ndarray  # [G, b0], positions in the pool
    variables: dict[str, Any]  # "network", "machine" if an SVM is used -> leaves [G, ...], where every training starts


def seed_keys(seed: int) -> Keys:
    """The streams of a seed."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def seed_pool(config: FrozenConfigDict, dataset: datasets.Dataset, seed: int) -> datasets.Pool:
    """The imbalanced pool of a seed."""
    how = datasets.Imbalance(
        profile=config.profile,
        share=config.minority_share,
        ratio=config.minority_ratio,
        minority=config.minority,
        initial_per_class=config.initial // config.num_classes if config.balanced_initial else 0,
        source_ratio=config.source_ratio,
        mean=config.class_mean,
    )
    return datasets.imbalanced_pool(seed_keys(seed).pool, dataset, how)


@lru_cache(maxsize=1)
def load_dataset(config: FrozenConfigDict) -> datasets.Dataset:
    """The data set of a config, read once a process."""
    if is_dotted(config.dataset):
        if config.label_column:
            raise ValueError(f"config.label_column: is for tables, got {config.label_column!r}")
        load = resolve(config.dataset, "config.dataset")
        check_parameters(load, ((),), f"config.dataset: {config.dataset!r}")
        arrays = call(load, f"config.dataset: {config.dataset!r}")
        if not isinstance(arrays, Mapping):
            kind = type(arrays).__name__
            raise ValueError(f"config.dataset: {config.dataset!r} must give a dict of arrays, got {kind}")
        arrays = {name: np.asarray(array) for name, array in arrays.items()}
        named = {"classes": config.classes, "split_seed": config.split_seed}
        dataset = datasets.from_arrays(arrays, config.num_classes, config.test_rows, config.dataset, **named)
    else:
        named = {"classes": config.classes, "split_seed": config.split_seed, "label_column": config.label_column}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", datasets.Incomplete)  # it is among the notes, and so printed once
                dataset = datasets.load(config.dataset, config.num_classes, config.test_rows, **named)
        except ImportError as error:  # of a library that reads this kind of data
            raise ValueError(
                f"config.dataset: {config.dataset!r} cannot be read without a library ({error})"
            ) from error
    if config.validation:
        dataset = _validated(dataset, config.validation, config.split_seed)
    if config.copies > 1:
        dataset = conditions.with_copies(dataset, config.copies)
    if config.label_noise:
        said = f"{config.label_noise:.0%} of the answers are wrong, by chance (config.label_noise, split_seed)."
        dataset = dataset._replace(notes=(*dataset.notes, said))
    if config.start != "random":
        said = f"The rows labelled first are found by {config.start!r}, not by chance (config.start)."
        dataset = dataset._replace(notes=(*dataset.notes, said))
    if config.scaling != "auto":
        return dataset._replace(scaling=config.scaling)
    num_axes = dataset.x_train.ndim
    if config.head == "map" or (config.head == AUTO and num_axes == 2):
        return dataset._replace(scaling="common")
    known = (dataset.scaling, num_axes) in (("feature", 2), ("channel", 3))
    return dataset._replace(scaling="series") if config.backbone == "tcn" and known else dataset


def _validated(dataset: datasets.Dataset, share: float, seed: int) -> datasets.Dataset:
    """A part of each class of the training rows in the place of the test rows, which nothing looks at."""
    if isinstance(dataset.x_train, np.memmap):
        raise ValueError("config.validation: rows that stay in their file have none; give arrays or 0")
    aside, probs = split.validation(dataset.y_train, share, seed), dataset.source_probs
    said = (
        f"Scores are of a validation set, {aside.sum():,} training rows ({share:.0%} of each class, split_seed {seed})."
    )
    return dataset._replace(
        x_train=dataset.x_train[~aside],
        y_train=dataset.y_train[~aside],
        x_test=dataset.x_train[aside],
        y_test=dataset.y_train[aside],
        source_probs=None if probs is None else probs[~aside],
        num_missing=dataset.num_missing + len(dataset.y_test),
        notes=(*dataset.notes, said),
    )


def refuse_bad_rows(config: FrozenConfigDict) -> None:
    """Reads the training rows that stay in their file, and names the first number that float32 does not have.

    Raises:
      ValueError: names file, row and column.
    """
    rows = load_dataset(config).x_train
    if isinstance(rows, np.memmap):
        finite.check(f"config.dataset: {rows.filename}", rows, "it")


@lru_cache(maxsize=1)
def load_arrays(config: FrozenConfigDict) -> Data:
    """The arrays of a config on the host, labels as answered; rows of a folder of `.npy` files stay in their file."""
    dataset = load_dataset(config)
    labels = conditions.answers(dataset.y_train, dataset.num_classes, config.label_noise, config.split_seed)
    x_train, x_test = datasets.standardize(dataset)
    raw = None
    if x_train.ndim == 2 and dataset.scaling != "none":
        raw = dataset.x_train.astype(np.float32)
        raw -= min(raw.min(), 0.0)
    arrays: list[Any] = [x_train, labels, raw, x_test.astype(np.float32, copy=False), dataset.y_test]
    return Data(*arrays)


@lru_cache(maxsize=1)
def load_data(config: FrozenConfigDict) -> Data:
    """The arrays of a config on the device, put there once a process."""
    arrays = load_arrays(config)
    data = Data(*jax.tree.map(jnp.asarray, arrays._replace(inputs=arrays.inputs.astype(np.float32, copy=False))))
    if config.source:
        source = load_source(config)
        (train, probs), (test, _) = (sources.look(source, inputs) for inputs in (data.inputs, data.x_test))
        fixed_train, fixed_test = sources.standardized(train, test)
        return data._replace(fixed=(fixed_train, fixed_test), source_probs=probs)
    if any(scheme_of(config, parse(name)) not in NETWORKS for name in config.strategies):
        inputs, x_test = (x.reshape(len(x), -1) for x in (data.inputs, data.x_test))
        data = data._replace(fixed=(inputs, x_test))
    given = load_dataset(config).source_probs
    return data if given is None else data._replace(source_probs=jnp.asarray(given))


def load_source(config: FrozenConfigDict, num_snapshots: int = 0) -> sources.Source:
    """The source network of a config, which must be its backbone under a linear head; config.snapshots unless told."""
    row = jnp.zeros((1, *load_dataset(config).x_train.shape[1:]))
    return sources.load(pathlib.Path(config.source), build_backbone(config), row, num_snapshots or config.snapshots)


def check_backbone(config: FrozenConfigDict) -> None:
    """Tries a backbone of the user's own on a row of the data, by shapes alone.

    Raises:
      ValueError: it cannot take the row, or does not answer with features [1, H] and a tuple of stages [1, width].
    """
    if config.backbone in BACKBONES:
        return
    row = jnp.zeros((2, *load_dataset(config).x_train.shape[1:]))
    backbone, what = build_backbone(config), f"config.backbone: {config.backbone!r}"
    try:
        answer, _ = jax.eval_shape(lambda key: backbone.init_with_output(key, row, False, None), jax.random.key(0))
    except Exception as error:  # whatever a user's module does
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{what} called with (x {list(row.shape)}, train, mask) failed ({reason})") from error
    shapes = [list(leaf.shape) for leaf in jax.tree.leaves(answer)]
    stages = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], tuple) and len(answer[1]) > 0
    if not stages or any(len(shape) != 2 or shape[0] != 2 for shape in shapes):
        raise ValueError(
            f"{what} must answer with features [rows, H] and a tuple of stages [rows, width], got shapes {shapes}"
        )


def build_problem(config: FrozenConfigDict, seeds: Sequence[int]) -> Problem:
    """Arrays of a group of lanes with these seeds; of one, if `config.parallel` splits its pool over the devices."""
    dataset, model = load_dataset(config), build_model(config)
    pools = [seed_pool(config, dataset, seed) for seed in seeds]
    keys = [seed_keys(seed) for seed in seeds]
    rows, available = (np.stack([getattr(pool, name) for pool in pools]) for name in ("rows", "available"))
    if config.parallel == "pool":
        placed = split_pool.place(load_arrays(config), rows[0], available[0])
    else:
        placed = load_data(config), jnp.asarray(rows), jnp.asarray(available)
    start: list[Any] = [model.init(key.model, load_arrays(config).inputs[:1]) for key in keys]
    if config.source:
        source = load_source(config)
        start = [sources.transplant(variables, source) for variables in start]
    if config.head == "map":
        seen = [_moments(config, pool, key.model) for pool, key in zip(pools, keys, strict=True)]
        start = [mapped.with_moments(variables, known) for variables, known in zip(start, seen, strict=True)]
    if chooses_ridge(config):
        start = [variables | {"posterior": {"ridge": jnp.ones(())}} for variables in start]
    variables = {"network": jax.tree.map(lambda *leaves: jnp.stack(leaves), *start)}
    data, pool, available = placed
    if data.fixed is not None:
        machine = Linear(Identity(), config.num_classes).init(jax.random.key(0), data.fixed[0][:1])
        variables["machine"] = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(seeds)), machine)
    first = pools
    if config.unseen:
        labels = dataset.y_train, config.num_classes, config.unseen
        first = [conditions.without_unseen(pool, *labels) for pool in pools]
    inputs = np.asarray(load_arrays(config).inputs)
    initial = [
        conditions.first_rows(config.start, key.initial, inputs, pool, config.initial)
        for key, pool in zip(keys, first, strict=True)
    ]
    return Problem(data, rows, pool, available, np.stack(initial), variables)


def _moments(config: FrozenConfigDict, pool: datasets.Pool, key: jax.Array) -> feature_maps.Moments:
    """What the maps know of the pool of a seed: its rows, not their labels."""
    inputs = np.asarray(load_arrays(config).inputs[pool.rows[pool.available]], np.float32)
    return feature_maps.moments(jnp.asarray(inputs.reshape(len(inputs), -1)), key)
