"""A last layer for given rows, from nothing but the rows and some labels: the map, the ridge, the exact posterior."""

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import laplace
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
    """The maps of a pool.

    Args:
      features: [N, H], any array that gives rows for an index; checked before.
      seed: draws the random features and, of more than 65,536 rows, those that are measured.
    """
    rows: np.ndarray | slice = slice(None)
    if len(features) > MEASURED:
        rows = np.sort(np.random.default_rng(seed).choice(len(features), MEASURED, replace=False))
    some = np.asarray(features[rows], np.float32)
    maps: Maps = _measure(some, jax.random.key(seed), max(NUM_FEATURES, some.shape[1] + 1))
    return maps


@partial(jax.jit, static_argnames="num_features")
def _measure(rows: jax.Array, key: jax.Array, num_features: int) -> Maps:
    draws_key, pairs_key = jax.random.split(key)
    draws = random_features.init(draws_key, rows.shape[1], num_features)
    maps: Maps = jax.tree.map(lambda x: x.astype(rows.dtype), Maps(feature_maps.moments(rows, pairs_key), draws))
    return maps


def first(maps: Maps, num_classes: int) -> Head:
    """The head before any label: weights of 0 under "unit", in which no row lies far out."""
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
    """
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
    """phi of rows under one of the maps [n, D], made in parts so that rows may lie in a file."""
    parts = []
    for start in range(0, len(features), CHUNK):
        part = np.asarray(features[start : start + CHUNK], np.float32)
        short = min(CHUNK, 1 << max(len(features) - 1, 0).bit_length()) - len(part)
        mapped = _apply(maps, place, np.pad(part, ((0, short), (0, 0))) if short else part)
        parts.append(mapped[: len(part)] if short else mapped)
    return jnp.concatenate(parts) if len(parts) > 1 else parts[0]


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


@partial(jax.jit, static_argnames="num_classes")
def _fit(maps: Maps, key: jax.Array, rows: jax.Array, labels: jax.Array, mask: jax.Array, num_classes: int) -> Head:
    phi = [feature_maps.apply(one, maps.known, maps.draws, rows).astype(rows.dtype) for one in MAPS]
    choice = choose_head.choose(key, phi, labels, mask, num_classes, jnp.asarray(RIDGES, rows.dtype))
    mean, ridge = choice.mean.astype(rows.dtype), choice.ridge.astype(rows.dtype)
    posterior = laplace.fit(mean, _apply(maps, choice.place, rows), mask, ridge)
    return Head(choice.place, ridge, posterior, choice.info.converged)
