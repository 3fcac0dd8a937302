"""Sums and products with about twice the digits of their dtype, for bounds that must hold with their rounding.

A number is kept as an unevaluated pair high + low. No step relies on more than correctly rounded additions and exact
products of short numbers, so that neither the order of a reduction nor fused multiply-adds can spoil it.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Pair(NamedTuple):
    """high + low, low at most about a rounding of high."""

    high: jax.Array
    low: jax.Array


def two_sum(a: jax.Array, b: jax.Array) -> Pair:
    """a + b without error (Knuth): what was rounded away is the low part."""
    high = a + b
    moved = high - a
    return Pair(high, (a - (high - moved)) + (b - moved))


def products(a: jax.Array, b: jax.Array) -> jax.Array:
    """Four terms [4, ...] whose exact sum is a * b: each factor is cut into halves that multiply without rounding."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return jnp.stack([a_high * b_high, a_high * b_low, a_low * b_high, a_low * b_low])


def total(terms: jax.Array, lows: jax.Array | None = None) -> Pair:
    """Sum over the leading axis, the roundings carried along: in columns of about sqrt(n), then over these.

    Args:
      terms: [n, ...].
      lows: further terms [n, ...], each at most about a rounding of its term.

    Returns:
      the sum [...]; `error` says how far off it can be.
    """
    pair = Pair(terms, jnp.zeros_like(terms) if lows is None else lows)
    length = _column(len(terms))
    padding = ((0, -len(terms) % length), *((0, 0) for _ in terms.shape[1:]))
    columns = jax.tree.map(lambda x: jnp.pad(x, padding).reshape(length, -1, *x.shape[1:]), pair)
    return _fold(_fold(columns))


def error(num_terms: int, magnitude: jax.Array) -> jax.Array:
    """No less than what a `total` of n terms with lows is off by, given the sum of their magnitudes [...].

    With d additions one after the other the parts rounded away come to at most d u of the magnitude, and the lows to
    another u; adding them up loses 2 d u of these: 2 d (d + 1) u^2 in all, taken twice as the magnitude is rounded
    itself. Numbers too small for the dtype are flushed, a few for every term.
    """
    limits, column = jnp.finfo(magnitude.dtype), _column(num_terms)
    depth = column + -(-num_terms // column) + 1
    off = (depth * float(limits.eps)) ** 2 * magnitude + 16 * num_terms * float(limits.tiny)
    return jnp.where(magnitude > 0, off, 0.0)


def below(pair: Pair, off: jax.Array) -> jax.Array:
    """The largest number of the dtype, or the one before it, that is no higher than a pair which is `off` at most."""
    limits = jnp.finfo(pair.high.dtype)
    nearest = two_sum(pair.high, pair.low - off - 4 * float(limits.eps) * (jnp.abs(pair.low) + off))
    return jnp.where(nearest.low < 0, jnp.nextafter(nearest.high, -jnp.inf), nearest.high)


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    limits = jnp.finfo(x.dtype)
    high = jax.lax.reduce_precision(x, exponent_bits=int(limits.nexp), mantissa_bits=(int(limits.nmant) - 1) // 2)
    return high, x - high


def _column(num_terms: int) -> int:
    return math.isqrt(num_terms - 1) + 1


def _fold(pair: Pair) -> Pair:
    def add(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        new = two_sum(a[0], b[0])
        return new.high, a[1] + (new.low + b[1])

    zero = jnp.zeros((), pair.high.dtype)
    return Pair(*jax.lax.reduce(tuple(pair), (zero, zero), add, (0,)))
