"""Products at full precision, whatever the device would round its inputs to."""

import jax
import jax.numpy as jnp

HIGHEST = jax.lax.Precision.HIGHEST


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """`jnp.dot` at full precision: a GPU would round float32 inputs to TF32, a TPU to bfloat16."""
    return jnp.dot(a, b, precision=HIGHEST)
