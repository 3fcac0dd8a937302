"""BALD of rows with normal logits by quadrature, each class against the log-sum of the others: for small variances."""

import jax
import jax.numpy as jnp

# Six nodes at +-1/2, 3/2 and 5/2 spacings have mass and variance one; being evenly spaced, they cost one exponential.
# Weights and dampings were fitted to 16,384 quasi-random draws.
NODE_WEIGHTS = (0.3231, 0.1371, 0.0398)
NODE_SPACING = (2.0 / (NODE_WEIGHTS[0] + 9.0 * NODE_WEIGHTS[1] + 25.0 * NODE_WEIGHTS[2])) ** 0.5
SPREAD_DAMPING, SHIFT_DAMPING = 0.21, 0.58
LOWEST_SCORE = -27.0  # the cube of its exponential is still a normal float32
LARGEST_VARIANCE = 16.0
CACHED_ROWS = 16_384


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
    below = jnp.sum(weights, axis=0)
    sum1 = others + (below - weights)
    # Of a class alone at the top they may be so small that squares in a gradient are 0: their shares take their place.
    shares = weights / jnp.where(below > 0.0, below, 1.0)
    alone = is_top & (others == 0.0)
    shares2, shares3 = jnp.sum(shares**2, axis=0), jnp.sum(shares**3, axis=0)
    safe1 = jnp.where(alone, 1.0, sum1)
    safe2 = jnp.where(alone, 1.0, others + (jnp.sum(weights**2, axis=0) - weights**2))
    sum3 = others + (jnp.sum(weights**3, axis=0) - weights**3)
    squares = jnp.where(alone, shares2, safe2 / safe1**2)
    ratio = jnp.where(alone, shares3 / jnp.where(shares2 > 0.0, shares2, 1.0), sum3 / (safe1 * safe2))

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
