"""Products at full precision, whatever the device would round its inputs to."""

import jax
import jax.numpy as jnp

HIGHEST = jax.lax.Precision.HIGHEST


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """`jnp.dot` at full precision: a GPU would round float32 inputs to TF32, a TPU to bfloat16."""
    return jnp.dot(a, b, precision=HIGHEST)


def as_float(x: jax.Array) -> jax.Array:
    """Numbers in float32 at least: half precision and whole numbers are taken into it, float64 stays."""
    x = jnp.asarray(x)
    wide = jnp.issubdtype(x.dtype, jnp.floating) and jnp.finfo(x.dtype).bits >= 32
    return x if wide else x.astype(jnp.result_type(float))
