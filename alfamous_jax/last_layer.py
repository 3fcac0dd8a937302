"""A last layer for given rows, from nothing but the rows and some labels: the map, the ridge, the exact posterior.

On the host, as rows may lie in a file. What is fitted and chosen inside is `choose_head` over `feature_maps`, pure
functions for whoever wants another list of maps or ridges.
"""

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import laplace
from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.laplace import Posterior
from alfamous_jax.networks import choose_head, feature_maps, random_features
from alfamous_jax.networks.feature_maps import FeatureMap, Moments
from alfamous_jax.networks.random_features import RandomFeatures

MAPS = tuple(map(feature_maps.parse, ("common", "unit", "clipped", "common-rbf", "clipped-rbf")))
RIDGES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
NUM_FEATURES = 512  # random features of an RBF map, at least; as many as a linear map has columns where these are more
MEASURED = 65_536  # rows that the moments are measured on, where there are more
CHUNK = 4096  # rows that are mapped at a time
SMALLEST = 64  # rows of a buffer of labelled ones; it grows by factors of 4


class Maps(NamedTuple):
    """What turns rows into phi."""

    known: Moments
    draws: RandomFeatures


class Head(NamedTuple):
    """A last layer with its map."""

    place: jax.Array  # [], of its map in MAPS
    ridge: jax.Array  # []
    posterior: Posterior
    converged: jax.Array  # []


def measure(features: np.ndarray, seed: int) -> Maps:
    """The feature maps of a pool, by its rows alone.

    Args:
      features: [N, H], any array that gives rows for an index, such as a memory-mapped file.
      seed: draws the random features and, of more than 65,536 rows, those that are measured.

    Returns:
      what the other functions want. Measure all rows, with a label or not: the scales are those of the pool.

    Raises:
      ValueError: no rows, or a NaN or an infinity in those that are measured.

    Examples:
      >>> from alfamous_jax import last_layer
      >>> maps = last_layer.measure(np.eye(4, 3), seed=0)
      >>> last_layer.phi_of(maps, last_layer.first(maps, 2).place, np.eye(4, 3)).shape
      (4, 512)
    """
    if features.ndim != 2 or not features.size:
        raise ValueError(f"features must be rows of numbers, got shape {features.shape}")
    rows: np.ndarray | slice = slice(None)
    if len(features) > MEASURED:
        rows = np.sort(np.random.default_rng(seed).choice(len(features), MEASURED, replace=False))
    some = np.asarray(features[rows], np.float32)
    if not np.isfinite(some).all():
        raise ValueError(f"features must be finite in float32, got {np.sum(~np.isfinite(some))} numbers that are not")
    maps: Maps = _measure(some, jax.random.key(seed), max(NUM_FEATURES, some.shape[1] + 1))
    return maps


@quick_jit(static_argnames="num_features")
def _measure(rows: jax.Array, key: jax.Array, num_features: int) -> Maps:
    draws_key, pairs_key = jax.random.split(key)
    draws = random_features.init(draws_key, rows.shape[1], num_features)
    maps: Maps = jax.tree.map(lambda x: x.astype(rows.dtype), Maps(feature_maps.moments(rows, pairs_key), draws))
    return maps


def first(maps: Maps, num_classes: int) -> Head:
    """The head before any label: weights of 0 under "unit", in which no row lies far out.

    Args:
      maps: of `measure`.
      num_classes: K.

    Returns:
      a head whose posterior is the prior at a ridge of 1.

    Examples:
      >>> from alfamous_jax import last_layer
      >>> last_layer.first(last_layer.measure(np.eye(4, 3), seed=0), 2).posterior.mean.shape
      (2, 512)
    """
    wide, dtype = _wide(maps), maps.draws.kernel.dtype
    none = Posterior(jnp.zeros((num_classes, wide), dtype), jnp.eye(wide, dtype=dtype))  # the prior at a ridge of 1
    return Head(jnp.ones((), jnp.int32), jnp.ones(()), none, jnp.ones((), bool))


def fit(
    maps: Maps,
    key: jax.Array,
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    weights: np.ndarray | None = None,
) -> Head:
    """The head that suits labelled rows best by `choose_head`, and its posterior.

    Args:
      maps: of `measure`.
      key: consumed.
      features: of the labelled rows [M, H].
      labels: [M], in 0..K-1.
      num_classes: K.
      weights: what each row counts [M], above 0; None for 1 each.

    Returns:
      the head, with a warning where it did not converge. A buffer of 64, 256, 1024, ... rows holds the labels, and
      each size is compiled once.

    Raises:
      ValueError: features of another width or that are not finite, not a label for each row, or one outside 0..K-1.

    Examples:
      >>> from alfamous_jax import last_layer
      >>> rows, labels = np.repeat(np.eye(2, 3), 5, axis=0), np.repeat([0, 1], 5)
      >>> maps = last_layer.measure(rows, seed=0)
      >>> head = last_layer.fit(maps, jax.random.key(0), rows, labels, 2)
      >>> logits = last_layer.phi_of(maps, head.place, np.eye(2, 3)) @ head.posterior.mean.T
      >>> logits.argmax(axis=1).tolist()
      [0, 1]
    """
    _check(maps, features, labels, num_classes)
    size = SMALLEST
    while size < len(labels):
        size *= 4
    rows = np.zeros((size, features.shape[1]), np.float32)
    rows[: len(labels)] = features
    padded = np.zeros(size, np.int32)
    padded[: len(labels)] = labels
    mask = np.arange(size) < len(labels)
    if weights is not None:
        mask = np.pad(weights.astype(np.float32), (0, size - len(labels)))
    head: Head = _fit(maps, key, rows, padded, mask, num_classes)
    if not head.converged:
        warnings.warn(f"no fit to the {len(labels)} labels converged; the weights are approximate", stacklevel=3)
    return head


def phi_of(maps: Maps, place: jax.Array, features: np.ndarray) -> jax.Array:
    """phi of rows under one of the maps [n, D], made in parts so that rows may lie in a file.

    Args:
      maps: of `measure`.
      place: of the map, as the head has it.
      features: [n, H]; a row with a NaN has a phi of NaN, which the cycle passes over and counts.

    Examples:
      >>> from alfamous_jax import last_layer
      >>> maps = last_layer.measure(np.eye(4, 3), seed=0)
      >>> last_layer.phi_of(maps, jnp.array(0), np.ones((2, 3))).shape
      (2, 512)
    """
    parts = []
    for start in range(0, len(features), CHUNK):
        part = np.asarray(features[start : start + CHUNK], np.float32)
        short = min(CHUNK, 1 << max(len(features) - 1, 0).bit_length()) - len(part)
        mapped = _apply(maps, place, np.pad(part, ((0, short), (0, 0))) if short else part)
        parts.append(mapped[: len(part)] if short else mapped)
    return jnp.concatenate(parts) if len(parts) > 1 else parts[0]


def _check(maps: Maps, features: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    width = maps.draws.kernel.shape[1]
    if features.ndim != 2 or features.shape[1] != width or not np.isfinite(features).all():
        raise ValueError(f"features must be finite rows of {width} numbers, got shape {features.shape}")
    if len(labels) != len(features):
        raise ValueError(f"labels must be one for each of {len(features)} rows, got {len(labels)}")
    if len(labels) and not (0 <= np.min(labels) and np.max(labels) < num_classes):
        raise ValueError(f"labels must be from 0 to {num_classes - 1}, got {np.min(labels)} to {np.max(labels)}")


def _wide(maps: Maps) -> int:
    num_features, in_dim = maps.draws.kernel.shape
    return feature_maps.width(MAPS, in_dim, num_features)


@jax.jit
def _apply(maps: Maps, place: jax.Array, rows: jax.Array) -> jax.Array:
    phi: jax.Array = jax.lax.switch(place, [partial(_map, one, maps) for one in MAPS], rows)
    return phi


def _map(one: FeatureMap, maps: Maps, rows: jax.Array) -> jax.Array:
    """In the rows' own precision, whatever JAX's default is."""
    return feature_maps.apply(one, maps.known, maps.draws, rows, _wide(maps)).astype(rows.dtype)


@quick_jit(static_argnames="num_classes")
def _fit(maps: Maps, key: jax.Array, rows: jax.Array, labels: jax.Array, mask: jax.Array, num_classes: int) -> Head:
    phi = [feature_maps.apply(one, maps.known, maps.draws, rows).astype(rows.dtype) for one in MAPS]
    choice = choose_head.choose(key, phi, labels, mask, num_classes, jnp.asarray(RIDGES, rows.dtype))
    mean, ridge = choice.mean.astype(rows.dtype), choice.ridge.astype(rows.dtype)
    posterior = laplace.fit(mean, _apply(maps, choice.place, rows), mask, ridge)
    return Head(choice.place, ridge, posterior, choice.info.converged)
