"""Making a data set imbalanced: how many rows each class keeps, and which."""

import chex
import jax
import jax.numpy as jnp


def step_profile(counts: jax.Array, minority: jax.Array, ratio: float) -> jax.Array:
    """Minority classes keep a fraction of their rows, the others all (AL-FaMoUS section 4.1.1).

    Args:
      counts: rows of each class [K], integers.
      minority: which classes shrink [K].
      ratio: the fraction kept, in [0, 1]; .1 in AL-FaMoUS.

    Returns:
      target counts [K], rounded down.
    """
    counts = jnp.asarray(counts)
    chex.assert_equal_shape([counts, minority])
    kept = jnp.floor(ratio * counts + 1e-4).astype(counts.dtype)
    return jnp.where(minority, kept, counts)


def exp_profile(counts: jax.Array, ratio: float) -> jax.Array:
    """Class sizes that fall exponentially from the first class to the last, which keeps a fraction (CBAL).

    Args:
      counts: rows of each class [K], integers, K >= 2.
      ratio: the last class over the first, in (0, 1].

    Returns:
      target counts [K], max(counts) ratio^(k / (K - 1)) rounded down, and no more than a class has.
    """
    counts = jnp.asarray(counts)
    chex.assert_rank(counts, 1)
    steps = jnp.arange(counts.shape[0]) / (counts.shape[0] - 1)
    target = jnp.floor(jnp.max(counts) * ratio**steps + 1e-3).astype(counts.dtype)
    return jnp.minimum(target, counts)


def subsample(key: jax.Array, labels: jax.Array, target_counts: jax.Array) -> jax.Array:
    """Keeps a random target_k rows of each class k.

    Args:
      key: consumed.
      labels: [N], in 0..K-1.
      target_counts: [K]; a class with fewer rows keeps all it has.

    Returns:
      mask of the rows kept [N].
    """
    chex.assert_rank([labels, target_counts], 1)
    num_rows = labels.shape[0]
    order = jax.random.permutation(key, num_rows)
    shuffled = labels[order]
    by_class = jnp.argsort(shuffled, stable=True)
    starts = jnp.searchsorted(shuffled[by_class], jnp.arange(target_counts.shape[0]))
    rank = jnp.arange(num_rows) - starts[shuffled[by_class]]
    kept = rank < target_counts[shuffled[by_class]]
    return jnp.zeros(num_rows, bool).at[order[by_class]].set(kept)
