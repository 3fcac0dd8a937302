"""What the numbers that come in are taken as: labels in int32, everything else in one floating dtype."""

import jax
import jax.numpy as jnp


def as_float(x: jax.Array) -> jax.Array:
    """Numbers in float32 at least: half precision and whole numbers are taken into it, float64 stays."""
    return in_common(x)[0]


def in_common(*arrays: jax.Array | float) -> list[jax.Array]:
    """Arrays in the widest floating dtype among them, float32 at least; a Python number has no say in it."""
    own = [jnp.result_type(x) for x in arrays if not isinstance(x, (bool, int, float))]
    dtype = jnp.result_type(jnp.float32, *(x for x in own if jnp.issubdtype(x, jnp.floating)))
    return [jnp.asarray(x, dtype) for x in arrays]


def as_labels(labels: jax.Array, name: str = "labels") -> jax.Array:
    """Labels in int32: of integers of any width and sign, and of booleans, as 0 and 1.

    In a narrow type K itself may not exist (256 in uint8), and the -1 of padding is a class of an unsigned one.

    Raises:
      ValueError: other types; a class is a whole number, and 2.0 may be one that was rounded.
    """
    labels = jnp.asarray(labels)
    if labels.dtype != bool and not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"{name} must be whole numbers from 0 to K - 1, got {labels.dtype}")
    return labels.astype(jnp.int32)


def as_counts(counts: jax.Array) -> jax.Array:
    """Counts that can be added to: integers in 32 bits at least, other numbers as they are."""
    counts = jnp.asarray(counts)
    narrow = counts.dtype == bool or jnp.issubdtype(counts.dtype, jnp.integer) and counts.dtype.itemsize < 4
    return counts.astype(jnp.int32) if narrow else counts
