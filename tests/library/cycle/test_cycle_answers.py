"""Answers that a pool cannot have asked for change nothing and are counted; labels of any integer type."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import cycle, laplace, updates

pytestmark = pytest.mark.slow

N, D, K = 60, 8, 4
PHI = jax.random.normal(jax.random.key(0), (N, D))
POSTERIOR = laplace.fit(jnp.zeros((K, D)), PHI[:10], jnp.ones(10, bool))
AVAILABLE = jnp.arange(N) >= 10
SPOILT = 20  # a row with a NaN, in SPOILT_PHI
SPOILT_PHI = PHI.at[SPOILT, 3].set(jnp.nan)


def start(phi=PHI, num_classes=K):
    posterior = POSTERIOR._replace(mean=jnp.zeros((num_classes, D)))
    return cycle.init(posterior, phi, AVAILABLE, jnp.zeros(num_classes, jnp.int32))


def assert_equal(got, expected):
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def assert_close(got, expected):
    """Up to four units in the last place of the largest number of an array, which is what sums of its terms lose."""
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        ulp = np.finfo(np.float32).eps * np.nanmax(np.abs(np.asarray(theirs, np.float64)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * ulp)


class TestInvalid:
    """What changes nothing, by itself and beside answers that count."""

    @pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["plain", "jit"])
    @pytest.mark.parametrize(
        ("rows", "invalid"),
        [([N], 1), ([10**6], 1), ([-2], 1), ([-N], 1), ([3], 1), ([SPOILT], 1), ([-1], 0), ([N, 3, -1, -7], 3)],
        ids=str,
    )
    def test_changes_nothing(self, rows, invalid, wrap):
        state, rows = start(SPOILT_PHI), jnp.array(rows)
        assert wrap(cycle.num_invalid)(state, SPOILT_PHI, rows) == invalid
        after = wrap(cycle.update)(state, SPOILT_PHI, rows, jnp.ones(len(rows), int))
        assert_equal(after, state)
        beside = wrap(cycle.update)(state, SPOILT_PHI, jnp.append(rows, 15), jnp.append(jnp.ones(len(rows), int), 2))
        alone = wrap(cycle.update)(state, SPOILT_PHI, jnp.array([15]), jnp.array([2]))
        assert_close(beside, alone)
        assert beside.counts.tolist() == [0, 0, 1, 0] and jnp.isfinite(beside.posterior.cov).all()

    @pytest.mark.parametrize("labels", [[1, 1], [1, 2], [-1, 2]], ids=["same", "two_labels", "skipped_first"])
    def test_a_row_named_twice(self, labels):
        """The first answer counts, as if the second had come in a call of its own."""
        state, rows = start(), jnp.array([17, 17])
        assert cycle.num_invalid(state, PHI, rows) == 1
        once = cycle.update(state, PHI, rows[:1], jnp.array(labels[:1]))
        assert cycle.num_invalid(once, PHI, rows[1:]) == 1
        assert_equal(cycle.update(once, PHI, rows[1:], jnp.array(labels[1:])), once)
        both = cycle.update(state, PHI, rows, jnp.array(labels))
        assert_close(both, once)

    @pytest.mark.parametrize(("rows", "labels"), [([11, 12], [1]), ([11], [1, 2]), (11, 1), ([[11]], [[1]])], ids=str)
    def test_lengths_that_differ(self, rows, labels):
        with pytest.raises(ValueError, match=r"indices and labels must be \[n\]"):
            cycle.update(start(), PHI, jnp.array(rows), jnp.array(labels))

    def test_labels_that_are_no_whole_numbers(self):
        with pytest.raises(ValueError, match=r"labels must be whole numbers.*float32"):
            cycle.update(start(), PHI, jnp.array([11]), jnp.array([1.0]))

    def test_vmap_over_lanes(self):
        states = jax.tree.map(lambda x: jnp.stack([x] * 3), start())
        rows = jnp.array([[11, 12], [11, 11], [N, 3]])
        invalid = jax.vmap(lambda state, rows: cycle.num_invalid(state, PHI, rows))(states, rows)
        assert invalid.tolist() == [0, 1, 2]
        after = jax.vmap(lambda state, rows: cycle.update(state, PHI, rows, jnp.array([1, 1])))(states, rows)
        assert after.counts[:, 1].tolist() == [2, 1, 0]


class TestOneCompilation:
    """Looking at the answers adds no compilation and no product with the covariance."""

    def test_compiles_once(self):
        state = start()
        update = jax.jit(lambda *arrays: cycle.update(*arrays))
        for rows in ([11, 12], [13, 13], [N, -1]):
            state = update(state, PHI, jnp.array(rows), jnp.array([1, 2]))
        assert update._cache_size() == 1

    def test_one_pass_over_the_pool(self):
        """The products of `update` are those of its parts, for whatever answers."""
        state, rows, labels = start(), jnp.array([11, 12]), jnp.array([1, 2])

        def parts(state, rows, labels):
            posterior, gains = updates.update_many(state.posterior, PHI[rows], labels)
            return posterior, updates.refresh(state.logits, state.variance, PHI, gains)

        ours, theirs = (
            str(jax.make_jaxpr(f)(state, rows, labels)).count("dot_general")
            for f in (lambda state, *x: cycle.update(state, PHI, *x), parts)
        )
        assert ours == theirs


@pytest.mark.parametrize(
    ("dtype", "num_classes"),
    [("uint8", 256), ("int8", 200), ("int8", 128), ("int16", 256), ("uint32", 256), ("bool", 2)],
)
class TestLabelTypes:
    """Every integer type gives what int32 gives, where K itself may not exist in it."""

    def given(self, dtype, num_classes):
        return (np.arange(N) % 5 + 10).astype(dtype) if num_classes > 2 else np.arange(N) % 3 == 0

    def test_run(self, dtype, num_classes):
        labels = self.given(dtype, num_classes)
        posterior = POSTERIOR._replace(mean=jnp.zeros((num_classes, D)))
        masks = jnp.arange(N) >= N - 3, jnp.zeros(num_classes, jnp.int32)
        runs = [
            cycle.run(jax.random.key(1), posterior, PHI, x, *masks, budget=8) for x in (labels, labels.astype(np.int32))
        ]
        assert_equal(*runs)
        state, info = runs[0]
        expected = np.bincount(labels[-3:].astype(int), minlength=num_classes)
        np.testing.assert_array_equal(state.counts, expected)
        assert info.labels.dtype == jnp.int32 and info.labels[3:].tolist() == [-1] * 5

    def test_update(self, dtype, num_classes):
        labels = self.given(dtype, num_classes)[11:14]
        state, rows = start(num_classes=num_classes), jnp.array([11, 12, 13])
        updated = [cycle.update(state, PHI, rows, x) for x in (labels, labels.astype(np.int32))]
        assert_equal(*updated)
        assert updated[0].counts.sum() == 3


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
def test_counts_of_few_bits_do_not_run_over(dtype):
    """127 labels more than an int8 holds."""
    state = cycle.init(POSTERIOR, PHI, AVAILABLE, jnp.ones(K, dtype))
    state = state._replace(counts=state.counts + 126)
    after = cycle.update(state, PHI, jnp.arange(11, 41), jnp.zeros(30, int))
    assert after.counts.tolist() == [157, 127, 127, 127]


class TestLamThatIsNoNumber:
    """Nothing is picked, and every available row counts as invalid."""

    @pytest.mark.parametrize("lam", [np.nan, np.inf])
    @pytest.mark.parametrize("num", [1, 5])
    def test_query(self, num, lam):
        indices, info = cycle.query(start(), jax.random.key(0), lam=lam, num=num)
        assert indices.tolist() == [-1] * num
        assert info.num_selected == 0 and info.num_invalid == N - 10

    def test_run(self):
        args = jax.random.key(0), POSTERIOR, PHI, jnp.zeros(N, int), AVAILABLE, jnp.zeros(K, jnp.int32)
        state, info = cycle.run(*args, lam=jnp.nan, budget=3)
        assert info.num_selected == 0 and info.num_invalid == N - 10 and state.available.sum() == N - 10


def test_an_empty_pool_is_refused():
    state = cycle.init(POSTERIOR, PHI[:0], AVAILABLE[:0], jnp.zeros(K, jnp.int32))
    with pytest.raises(ValueError, match="the pool has no rows"):
        cycle.query(state, jax.random.key(0))


def test_one_class():
    """It is certain, so every row is as good; the counts go up."""
    posterior = POSTERIOR._replace(mean=jnp.zeros((1, D)))
    for utility in ("least_confidence", "margin", "entropy", "bald"):
        args = jax.random.key(0), posterior, PHI, jnp.zeros(N, int), AVAILABLE, jnp.zeros(1, jnp.int32)
        state, info = cycle.run(*args, utility=utility, lam=0.5, budget=3)
        assert info.indices.tolist() == [10, 11, 12] and state.counts.tolist() == [3]
        assert jnp.isfinite(info.utility).all()
