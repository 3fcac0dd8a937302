"""Feature maps of given rows, each with rows of norm about 1: one scale for all columns or one for each, linear or RBF.

Which of them suits a data set is the largest lever of a last layer. Principal components of embeddings want one scale,
as their sizes mean something; the columns of a table with their own units do not.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.numerics import dot
from alfamous_jax.networks import random_features
from alfamous_jax.networks.random_features import RandomFeatures

SCALINGS = ("common", "clipped", "unit")
CLIP = 4.0  # deviations
BIAS = 0.3  # the last coordinate of a linear map, of rows of norm 1
PAIRS = 500  # rows whose distances say what a length is
NOISE = 1e-6  # a deviation below this share of a column's largest value is rounding


class FeatureMap(NamedTuple):
    """One way of turning rows into what a last layer sees; static."""

    scaling: str  # "common": centred, over one number; "clipped": every column over its deviation; "unit": of length 1
    length: float = 0.0  # of an RBF kernel, squared, over the median squared distance; 0 is linear

    def __str__(self) -> str:
        """The name that `parse` reads."""
        return self.scaling if not self.length else f"{self.scaling}-rbf@{self.length:g}"


class Moments(NamedTuple):
    """What the maps know of a pool, labels apart."""

    mean: jax.Array  # [H]
    deviation: jax.Array  # [H], infinite where a column is constant
    norm: jax.Array  # [], root of the mean squared length of a centred row
    distances: jax.Array  # [3], median squared distance of two rows under each of SCALINGS


def parse(name: str) -> FeatureMap:
    """The map of a name: SCALING, SCALING-rbf or SCALING-rbf@LENGTH.

    Raises:
      ValueError: the name is another.
    """
    scaling, dash, rest = name.partition("-")
    kernel, at, length = rest.partition("@")
    try:
        size = float(length) if at else 1.0
    except ValueError:
        size = 0.0
    if scaling not in SCALINGS or (dash and (kernel != "rbf" or not 0 < size < float("inf"))):
        raise ValueError(f"{name!r} is not one of {', '.join(SCALINGS)}, with -rbf or -rbf@LENGTH after it or without")
    return FeatureMap(scaling, size if dash else 0.0)


@quick_jit()
def moments(rows: jax.Array, key: jax.Array) -> Moments:
    """Measures a pool.

    Args:
      rows: [N, H], finite.
      key: draws the 500 rows whose distances are measured.

    Returns:
      the moments. A column whose deviation is below a millionth of its largest value counts as constant.
    """
    chex.assert_rank(rows, 2)
    mean = jnp.mean(rows, axis=0)
    centred = rows - mean
    deviation = jnp.sqrt(jnp.mean(centred**2, axis=0))
    varies = deviation > NOISE * jnp.max(jnp.abs(rows), axis=0)
    norm = jnp.sqrt(jnp.sum(jnp.where(varies, deviation, 0.0) ** 2))
    known = Moments(mean, jnp.where(varies, deviation, jnp.inf), jnp.where(norm > 0, norm, 1.0), jnp.ones(3))
    some = rows[jax.random.permutation(key, len(rows))[:PAIRS]]
    return known._replace(distances=jnp.stack([_median_distance(scale(some, known, name)) for name in SCALINGS]))


def scale(rows: jax.Array, known: Moments, scaling: str) -> jax.Array:
    """Rows [N, H] centred and scaled so that their mean squared length is about 1; constant columns become 0."""
    varies = jnp.isfinite(known.deviation)
    centred = jnp.where(varies, rows - known.mean, 0.0)
    if scaling == "clipped":
        clipped = jnp.clip(centred / known.deviation, -CLIP, CLIP)
        return clipped / jnp.sqrt(jnp.maximum(jnp.sum(varies), 1))
    if scaling == "unit":
        length = jnp.linalg.norm(centred, axis=1, keepdims=True)
        return centred / jnp.where(length > 0, length, 1.0)
    return centred / known.norm


def width(maps: tuple[FeatureMap, ...], in_dim: int, num_features: int) -> int:
    """D, the widest of the maps."""
    return max(num_features if one.length else in_dim + 1 for one in maps)


def apply(one: FeatureMap, known: Moments, draws: RandomFeatures, rows: jax.Array, wide: int = 0) -> jax.Array:
    """phi of rows, with zeros behind it up to a width that several maps share.

    Args:
      one: the map, static.
      known: of the pool.
      draws: of `random_features.init`, for RBF maps.
      rows: [N, H].
      wide: D, static, of `width`; the map's own width if not given.

    Returns:
      phi [N, D]. A linear map has a bias as its last coordinate that is not zero.
    """
    scaled = scale(rows, known, one.scaling)
    if one.length:
        square = known.distances[SCALINGS.index(one.scaling)]
        phi = random_features.apply(draws, scaled, one.length * square)
    else:
        bias = jnp.full((len(rows), 1), BIAS, scaled.dtype)
        phi = jnp.concatenate([scaled, bias], axis=1) / jnp.sqrt(1.0 + BIAS**2)
    return jnp.pad(phi, ((0, 0), (0, max(wide - phi.shape[1], 0))))


def _median_distance(rows: jax.Array) -> jax.Array:
    """Of two different rows, squared."""
    squares = jnp.sum(rows**2, axis=1)
    distances = squares[:, None] + squares[None, :] - 2.0 * dot(rows, rows.T)
    first, second = jnp.triu_indices(len(rows), 1)
    median = jnp.median(distances[first, second]) if len(rows) > 1 else jnp.ones(())
    return jnp.where(median > 0, median, 1.0)
