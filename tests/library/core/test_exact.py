"""Sums and products of twice the digits against fractions."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.core import exact


def exactly(x):
    return sum((Fraction(float(value)) for value in np.ravel(x)), Fraction(0))


def of_many_sizes(seed, size, dtype=np.float32):
    """Numbers from 1e-6 to 1e6 of both signs, the second half all but cancelling the first."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=size) * 10.0 ** rng.integers(-6, 7, size)).astype(dtype)
    x[size // 2 :] = -x[: size - size // 2] * dtype(1 + 1e-6)
    return x


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["op_by_op", "jit"])
class TestSums:
    """Every sum is off by no more than `error` says, and `below` is below it by a rounding."""

    @pytest.mark.parametrize("size", [1, 2, 3, 17, 1000])
    def test_total(self, size, wrap):
        x = of_many_sizes(size, size)
        high, low = wrap(exact.total)(x)
        off = exact.error(size, jnp.sum(jnp.abs(x))).item()
        assert abs(exactly([high, low]) - exactly(x)) <= off <= 1e-9 * np.abs(x).sum()

    def test_products_are_exact(self, wrap):
        a, b = of_many_sizes(0, 500), np.random.default_rng(1).normal(size=500).astype(np.float32)
        terms = np.asarray(wrap(exact.products)(a, b), float)
        np.testing.assert_array_equal(terms.sum(0), a.astype(float) * b)

    def test_columns_are_summed_on_their_own(self, wrap):
        x = np.stack([of_many_sizes(seed, 90) for seed in range(4)], axis=1)
        together = wrap(exact.total)(x)
        for column in range(4):
            assert exactly([part[column] for part in together]) == exactly(exact.total(x[:, column]))

    @pytest.mark.parametrize("seed", range(20))
    def test_below(self, seed, wrap):
        x = of_many_sizes(seed, 64)
        off = exact.error(64, jnp.sum(jnp.abs(x)))
        bound, value = Fraction(wrap(exact.below)(exact.total(x), off).item()), exactly(x)
        room = 2 * Fraction(float(off)) + Fraction(float(np.spacing(np.float32(abs(value)))))
        assert value - 2 * room <= bound <= value

    def test_nothing_is_taken_off_an_exact_number(self, wrap):
        for value in (0.0, 1.5, -3.0):
            zero = jnp.zeros(())
            assert wrap(exact.below)(exact.Pair(jnp.float32(value), zero), zero) == value
        assert wrap(partial(exact.error, 64))(jnp.zeros(())) == 0


def test_float64():
    with jax.enable_x64(True):
        a, b = (of_many_sizes(seed, 100, np.float64) for seed in (0, 1))
        terms = jax.jit(exact.products)(a, b)
        high, low = jax.jit(exact.total)(terms.reshape(-1))
        expected = sum(Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
        assert abs(exactly([high, low]) - expected) <= exact.error(400, jnp.sum(jnp.abs(terms))).item()
    for x, y, parts in zip(a.tolist(), b.tolist(), np.asarray(terms).T, strict=True):
        assert exactly(parts) == Fraction(x) * Fraction(y)
