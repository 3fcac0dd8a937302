"""BALD of rows with normal logits: by quadrature where variances are small, by fixed draws where they are large."""

import functools
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import entr

# Of `bald_gaussian`. Six nodes at +-1/2, 3/2 and 5/2 spacings have mass and variance one; being evenly spaced, they
# cost one exponential. Weights and dampings were fitted to 16,384 quasi-random draws.
NODE_WEIGHTS = (0.3231, 0.1371, 0.0398)
NODE_SPACING = (2.0 / (NODE_WEIGHTS[0] + 9.0 * NODE_WEIGHTS[1] + 25.0 * NODE_WEIGHTS[2])) ** 0.5
SPREAD_DAMPING, SHIFT_DAMPING = 0.21, 0.58
LOWEST_SCORE = -27.0  # the cube of its exponential is still a normal float32
LARGEST_VARIANCE = 16.0
CACHED_ROWS = 16_384

# Of the draws: the closed form alone up to the first variance, draws alone from the second one on.
MIXED = 1.0, 2.0
FEW, NUM_DRAWS = 50, (128, 256)  # draws for up to so many classes, and for more
DRAWN_ROWS = 1024  # at a time
LARGEST_DRAWN = 1e6  # variance; there the draws alone decide between classes


Sums = tuple[jax.Array, jax.Array, jax.Array]  # of probabilities and their squares [K, n], and of entropies [n]


@jax.custom_jvp
def gaussian(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """What `acquisition.bald_gaussian` says it is, for K of at least 2."""
    closed = closed_form(logits, variance)
    wide = variance > MIXED[0]
    size, before = variance.shape[0], jnp.cumsum(wide)
    order = jnp.zeros_like(before).at[jnp.where(wide, before - 1, size)].set(jnp.arange(size), mode="drop")
    count = before[-1]
    draws = jnp.asarray(stratified(logits.shape[-1]), logits.dtype)

    def mix(block: jax.Array, information: jax.Array) -> jax.Array:
        slots = block * DRAWN_ROWS + jnp.arange(DRAWN_ROWS)
        rows = order[jnp.minimum(slots, size - 1)]
        sampled = _drawn(logits[rows], variance[rows], draws)
        share = jnp.clip((variance[rows] - MIXED[0]) / (MIXED[1] - MIXED[0]), 0.0, 1.0)
        mixed = information[rows] + share * (sampled - information[rows])
        return information.at[jnp.where(slots < count, rows, size)].set(mixed, mode="drop")

    information: jax.Array = jax.lax.fori_loop(0, -(-count // DRAWN_ROWS), mix, closed)
    return information


@gaussian.defjvp
def _(primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    return gaussian(*primals), jax.jvp(closed_form, primals, tangents)[1]


@functools.cache
def stratified(num_classes: int) -> np.ndarray:
    """Normal draws [S, K]: in every column all quantiles once, of unit variance; in an order that never changes.

    Two classes get opposite halves of one column, as only the difference of their logits matters.
    """
    size = NUM_DRAWS[num_classes > FEW]
    column = np.array([NormalDist().inv_cdf((i + 0.5) / size) for i in range(size)])
    column /= column.std()
    if num_classes == 2:
        return np.asarray(np.stack([column, -column], axis=1) * 0.5**0.5)
    order = np.argsort(np.random.RandomState(0).random_sample((size, num_classes)), axis=0)
    return np.asarray(column[order])


def _drawn(logits: jax.Array, variance: jax.Array, draws: jax.Array) -> jax.Array:
    """BALD [n] by draws, corrected for what the entropy of a mean of S draws is too low by."""
    means, deviation = logits.T, jnp.sqrt(jnp.clip(variance, 0.0, LARGEST_DRAWN))

    def add(sums: Sums, z: jax.Array) -> tuple[Sums, None]:
        scores = means + deviation * z[:, None]
        scores -= jnp.max(scores, axis=0)
        weights = jnp.exp(scores)
        total = jnp.sum(weights, axis=0)
        probs = weights / total
        spread = jnp.log(total) - jnp.sum(probs * scores, axis=0)
        return (sums[0] + probs, sums[1] + probs**2, sums[2] + spread), None

    start = jnp.zeros_like(means), jnp.zeros_like(means), jnp.zeros_like(variance)
    sums, _ = jax.lax.scan(add, start, draws)
    probs, squares, within = (x / len(draws) for x in sums)
    missing = 0.5 / (len(draws) - 1) * jnp.sum(jnp.maximum(squares / jnp.maximum(probs, 1e-30) - probs, 0.0), axis=0)
    information = jnp.sum(entr(probs), axis=0) + missing - within
    return jnp.clip(information, 0.0, np.log(len(means)))


def closed_form(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """By quadrature [N], in blocks of rows on a CPU; variances above 16 count as 16."""
    information: jax.Array = jax.lax.platform_dependent(logits, variance, cpu=_in_blocks, default=_of_rows)
    return information


def _in_blocks(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """Rows that fit a cache at a time: on a CPU four times faster for 300,000 of them."""
    num_rows = logits.shape[0]
    if not isinstance(num_rows, int) or num_rows <= CACHED_ROWS:  # no int: exported for a pool of any size
        return _of_rows(logits, variance)
    num_blocks = -(-num_rows // CACHED_ROWS)
    size = -(-num_rows // num_blocks)
    padding = (0, num_blocks * size - num_rows)
    blocks = jnp.pad(logits, (padding, (0, 0))), jnp.pad(variance, padding)
    blocks = jax.tree.map(lambda x: x.reshape(num_blocks, size, *x.shape[1:]), blocks)
    information: jax.Array = jax.lax.map(lambda block: _of_rows(*block), blocks)
    return information.ravel()[:num_rows]


def _of_rows(logits: jax.Array, variance: jax.Array) -> jax.Array:
    scores = jnp.maximum(logits.T - jnp.max(logits, axis=-1), LOWEST_SCORE)  # [K, N]: a CPU vectorises over rows
    some = variance > 0.0  # elsewhere any variance will do, so that no root of 0 spoils a gradient
    clipped = jnp.where(some, jnp.minimum(variance, LARGEST_VARIANCE), jnp.where(variance <= 0.0, 1.0, variance))

    # Power sums of exp(scores) over the other classes; the largest score is kept apart, or it would swallow them.
    is_top = scores == 0.0
    weights = jnp.where(is_top, 0.0, jnp.exp(scores))
    others = jnp.sum(is_top, axis=0) - is_top.astype(scores.dtype)
    sum1 = others + (jnp.sum(weights, axis=0) - weights)
    sum2 = others + (jnp.sum(weights**2, axis=0) - weights**2)
    sum3 = others + (jnp.sum(weights**3, axis=0) - weights**3)
    squares = sum2 / sum1**2
    ratio = sum3 / (sum1 * sum2)

    bend = (0.5 + 2.5 * squares - 3.0 * ratio) * clipped
    spread = clipped * squares * jnp.maximum(1.0 + bend / (1.0 + SPREAD_DAMPING * clipped), 0.0)
    bend = 0.5 * squares * (1.0 + 3.0 * squares - 4.0 * ratio) * clipped
    shift = 0.5 * clipped * (1.0 - squares - bend / (1.0 + SHIFT_DAMPING * squares * clipped))

    # It is at least 1; saying so keeps XLA from taking its powers by further exponentials.
    step = jnp.maximum(jnp.exp(0.5 * NODE_SPACING * jnp.sqrt(clipped + spread)), 1.0)
    back = 1.0 / step
    odds = sum1 * jnp.exp(shift - scores)  # exp(-E x_k)
    above, below = odds * step, odds * back
    mean_probs, mean_entropy = jnp.zeros_like(odds), jnp.zeros_like(odds)
    for weight in NODE_WEIGHTS:
        low, high = 1.0 + above, 1.0 + below  # one over the probability there
        scale = weight / (low * high)
        mean_probs += (low + high) * scale
        mean_entropy += (high * jnp.log(low) + low * jnp.log(high)) * scale
        above, below = above * step * step, below * back * back

    def total(x: jax.Array) -> jax.Array:
        # Not jnp.sum: XLA would fuse the logarithms into it, and a CPU then takes them one at a time.
        return jnp.dot(jnp.ones(len(x), x.dtype), x, precision=jax.lax.Precision.HIGHEST)

    mass = total(mean_probs)
    information = jnp.log(mass) - total(mean_probs * jnp.log(mean_probs)) / mass - total(mean_entropy)
    return jnp.where(variance <= 0.0, 0.0 * information, jnp.maximum(information, 0.0))
