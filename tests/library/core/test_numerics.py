"""Several reductions in one loop, against exact sums and NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.core.numerics import extremes, marked, sums

EPS = np.finfo(np.float32).eps


@pytest.mark.parametrize("length", [1, 31, 32, 33, 5000])
def test_sums(length):
    """A second stage of 32 and a first of length / 32 additions, each off by half a unit in the last place at most."""
    rng = np.random.default_rng(length)
    x, y = rng.normal(size=(2, length)).astype(np.float32)
    chosen = x > 0
    of_x, of_y, count = jax.jit(sums)(x, y, chosen.astype(np.int32))
    for got, terms in ((of_x, x), (of_y, y)):
        allowed = (length / 32 + 33) * EPS / 2 * np.abs(terms.astype(float)).sum()
        assert abs(float(got) - math.fsum(terms.tolist())) <= allowed
    assert count.dtype == jnp.int32 and int(count) == chosen.sum()


def test_a_count_does_not_stop_where_float32_does():
    ones = jnp.ones(2**24 + 3, jnp.int32)
    assert int(jax.jit(sums)(ones)[0]) == 2**24 + 3


def test_sums_under_vmap():
    """Of one vector that is mapped and one that is not."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 100, (3, 70), np.int32), rng.integers(0, 100, 70, np.int32)
    mapped = jax.vmap(sums, in_axes=(0, None))(x, y)
    np.testing.assert_array_equal(mapped[0], x.sum(1))
    np.testing.assert_array_equal(mapped[1], np.full(3, y.sum()))


def test_extremes():
    x = np.random.default_rng(0).normal(size=50).astype(np.float32)
    assert [float(v) for v in jax.jit(extremes)(x)] == [x.min(), x.max()]
    some = np.arange(50) % 7 == 3
    assert [float(v) for v in jax.jit(extremes)(x, some)] == [x[some].min(), x[some].max()]
    assert [float(v) for v in extremes(jnp.asarray(x), jnp.zeros(50, bool))] == [np.inf, -np.inf]


@pytest.mark.parametrize("mask", ["0", "1", "0110", "1111", "0000", "10001"], ids=repr)
def test_marked(mask):
    mask = np.array([x == "1" for x in mask], bool)
    rows, count = jax.jit(marked)(mask)
    assert int(count) == mask.sum()
    assert rows.tolist() == [*np.flatnonzero(mask), *[len(mask)] * (~mask).sum()]
