"""BALD of a Gaussian last layer: its closed form, its integral and its sampled form, against float64 references."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scipy.stats import spearmanr

from alfamous_jax import _bald, acquisition, utilities
from alfamous_jax._bald import _closed_form

pytestmark = pytest.mark.slow
SELDOM = pytest.mark.exhaustive

bald_gaussian = jax.jit(acquisition.bald_gaussian)


class TestBaldGaussian:
    """BALD without draws, against quadrature for two classes and 10,000 draws for more."""

    rng = np.random.default_rng(7)
    logits = rng.normal(size=(40, 6)).astype(np.float32)
    variance = rng.uniform(0.05, 1.0, 40).astype(np.float32)

    def test_hand_value(self):
        """Two equal logits of variance 1: log 2 - E H(sigmoid(sqrt(2) z)) by the trapezoidal rule."""
        np.testing.assert_allclose(bald_gaussian(jnp.zeros((1, 2)), jnp.ones(1)), 0.153647, atol=1e-3)

    @pytest.mark.parametrize(("largest", "atol"), [(1.0, 0.0015), (4.0, 0.0065)], ids=["variance_1", "variance_4"])
    def test_matches_quadrature_for_two_classes(self, largest, atol):
        difference, variance = (x.ravel() for x in np.meshgrid(np.linspace(-6, 6, 61), np.linspace(0, largest, 21)))
        exact, _ = oracles.bald_of_two_classes(difference, variance)
        logits = np.stack([difference, np.zeros_like(difference)], -1)
        score = bald_gaussian(jnp.asarray(logits), jnp.asarray(variance))
        np.testing.assert_allclose(score, exact, atol=atol)

    @pytest.mark.parametrize(
        ("num_classes", "largest", "atol"), [(5, 1, 0.008), (26, 1, 0.01), (100, 1, 0.012), (26, 4, 0.12)], ids=str
    )
    def test_matches_draws(self, num_classes, largest, atol):
        rng = np.random.default_rng(num_classes)
        logits = rng.normal(size=(24, num_classes)) * np.geomspace(0.3, 4, 24)[:, None]
        variance = rng.permutation(np.linspace(0.05, largest, 24))
        expected, error = oracles.bald_from_logits(rng, logits, variance, 10_000)
        score = bald_gaussian(jnp.asarray(logits), jnp.asarray(variance))
        assert (np.abs(score - expected) < atol + 3 * error).all()
        assert expected.max() > 20 * atol / largest

    def test_ranks_the_top_tenth_of_a_pool_as_draws_do(self):
        """Far from the labelled rows logits are small and variances large, as on LETTER."""
        rng = np.random.default_rng(8)
        distance = rng.uniform(0, 1, 400)
        logits = rng.normal(size=(400, 26)) * (2.5 - 2.0 * distance)[:, None]
        variance = 0.3 + 0.4 * distance + 0.3 * rng.uniform(0, 1, 400)
        expected, _ = oracles.bald_from_logits(rng, logits, variance, 10_000)
        score = np.asarray(bald_gaussian(jnp.asarray(logits), jnp.asarray(variance)))
        first_term = variance * (1 - np.sum(oracles.softmax(logits) ** 2, -1))
        top = np.argsort(-expected)[:40]
        assert spearmanr(score[top], expected[top])[0] > 0.99
        assert spearmanr(score, expected)[0] > 0.999
        assert spearmanr(first_term[top], expected[top])[0] < 0.99

    def test_no_variance_no_information(self):
        np.testing.assert_array_equal(bald_gaussian(self.logits, jnp.zeros(40)), 0.0)

    def test_little_variance(self):
        """Half the variance times 1 - sum p^2, the first term of the expansion."""
        variance = np.full(40, 1e-3, np.float32)
        expected = 0.5 * variance * (1 - np.sum(oracles.softmax(self.logits.astype(float)) ** 2, -1))
        np.testing.assert_allclose(bald_gaussian(self.logits, variance), expected, rtol=5e-3, atol=1e-6)

    @pytest.mark.parametrize("num_classes", [2, 5, 26])
    def test_grows_with_the_variance_from_zero_to_log_of_the_classes(self, num_classes):
        logits = np.random.default_rng(9).normal(size=(40, num_classes)).astype(np.float32) * 2
        score = np.stack([bald_gaussian(logits, jnp.full(40, v)) for v in np.linspace(0, 4, 21)])
        assert (np.diff(score, axis=0) > 0).all()
        assert score.min() == 0 and score.max() < np.log(num_classes)

    def test_a_long_pool_is_taken_in_blocks(self):
        """Of 2 blocks and a bit; every row is on its own, wherever it lies."""
        rows = np.arange(2 * _closed_form.CACHED_ROWS + 3)
        logits, variance = self.logits[rows % 40], self.variance[rows % 40]
        alone = np.asarray(bald_gaussian(self.logits, self.variance))
        np.testing.assert_allclose(bald_gaussian(logits, variance), alone[rows % 40], rtol=1e-5, atol=1e-6)

    def test_does_not_depend_on_the_order_of_classes_or_a_shift(self):
        score = bald_gaussian(self.logits, self.variance)
        permuted = bald_gaussian(self.logits[:, [3, 1, 4, 0, 5, 2]], self.variance)
        np.testing.assert_allclose(permuted, score, atol=1e-6)
        np.testing.assert_allclose(bald_gaussian(self.logits + 50, self.variance), score, atol=1e-4)

    def test_rows_do_not_mix(self):
        score = bald_gaussian(self.logits, self.variance)
        np.testing.assert_allclose(bald_gaussian(self.logits[3:4], self.variance[3:4]), score[3:4], atol=1e-6)

    def test_classes_out_of_reach_do_not_count(self):
        far = np.concatenate([self.logits[:, :2], np.full((40, 24), -1e4, np.float32)], -1)
        near = bald_gaussian(self.logits[:, :2], self.variance)
        np.testing.assert_allclose(bald_gaussian(far, self.variance), near, atol=1e-6)

    @pytest.mark.parametrize("variance", [0.0, 1e-30, 1.0, 1e4, 1e30])
    def test_extreme_logits_stay_finite(self, variance):
        one, two = np.full(6, -1e4, np.float32), np.full(6, -1e4, np.float32)
        one[2], two[[1, 4]] = 1e4, 1e4
        logits = np.stack([np.full(6, 1e4), np.full(6, -1e4), np.zeros(6), one, two, np.linspace(-1e4, 1e4, 6)])
        score = np.asarray(bald_gaussian(jnp.asarray(logits, jnp.float32), jnp.full(6, variance)))
        assert np.isfinite(score).all() and (score >= 0).all() and (score <= np.log(6)).all()
        if variance <= 1:
            np.testing.assert_allclose(score[[3, 5]], 0.0, atol=1e-6)
            np.testing.assert_allclose(score[:2], score[2], atol=1e-6)

    def test_nan_stays_in_its_row(self):
        logits, variance = self.logits.copy(), self.variance.copy()
        logits[2, 1], variance[5], logits[7, 0], variance[7] = np.nan, np.nan, np.nan, 0.0
        score = bald_gaussian(logits, variance)
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(score)), [2, 5, 7])

    def test_jit_and_vmap_equal_eager(self):
        eager = acquisition.bald_gaussian(self.logits, self.variance)
        np.testing.assert_allclose(bald_gaussian(self.logits, self.variance), eager, atol=2e-6)
        lanes = jax.vmap(acquisition.bald_gaussian)(self.logits.reshape(4, 10, 6), self.variance.reshape(4, 10))
        np.testing.assert_allclose(lanes.ravel(), eager, atol=2e-6)

    def test_is_what_the_cycle_calls_bald(self):
        score = jax.jit(utilities.UTILITIES["bald"])(self.logits, self.variance, jax.random.key(0))
        np.testing.assert_array_equal(score, bald_gaussian(self.logits, self.variance))


class TestBaldOfLargeVariances:
    """Where the integral takes over: what the docstring says of the error, and of the ranking."""

    VARIANCES = (0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 64.0)

    @pytest.mark.parametrize("num_classes", [2, 3, 10, 26, 100, 200])
    def test_classes_ahead_by_draws(self, num_classes):
        rng = np.random.default_rng(1)
        grid = itertools.product(range(1, min(num_classes, 3)), (0.0, 5.0, 8.0, 10.0), self.VARIANCES)
        ahead, gap, variance = (np.array(x) for x in zip(*grid, strict=True))
        logits = gap[:, None] * (np.arange(num_classes) < ahead[:, None])
        expected, error = oracles.bald_from_logits(rng, logits, variance, 10_000)
        score = bald_gaussian(jnp.asarray(logits), jnp.asarray(variance))
        too_low = (num_classes - 1) / 20_000  # at most: the entropy of a mean of draws
        assert (np.abs(score - expected) < np.where(variance < 1.5, 0.022, 0.006) + too_low + 3 * error).all()
        assert (score > 0).all() and (score <= np.log(num_classes)).all()

    def test_two_classes_by_quadrature(self):
        difference, variance = (x.ravel() for x in np.meshgrid(np.linspace(-10, 10, 21), (1.5, 4.0, 8.0, 16.0)))
        exact, _ = oracles.bald_of_two_classes(difference, variance)
        logits = np.stack([difference, np.zeros_like(difference)], -1)
        np.testing.assert_allclose(bald_gaussian(jnp.asarray(logits), jnp.asarray(variance)), exact, atol=0.001)

    def test_three_classes_in_the_plane(self):
        rng = np.random.default_rng(2)
        variance = np.geomspace(1.5, 64, 24)
        logits = rng.normal(size=(24, 3)) * np.sqrt(variance)[:, None] * np.geomspace(0.1, 2, 24)[::-1, None]
        exact = oracles.bald_of_three_classes(logits, variance)
        np.testing.assert_allclose(bald_gaussian(jnp.asarray(logits), jnp.asarray(variance)), exact, atol=0.001)
        assert exact.min() < 0.3 and exact.max() > 0.8

    @pytest.mark.parametrize(
        "variance", [1.5, 5.0, 300.0, 1e6, *(pytest.param(v, marks=SELDOM) for v in (2.0, 20.0, 1e4))]
    )
    @pytest.mark.parametrize(("num_classes", "atol"), [(2, 0.001), (10, 0.003), (77, 0.005), (200, 0.006)])
    def test_the_fitted_functions(self, num_classes, atol, variance):
        rng = np.random.default_rng(num_classes)
        logits = rng.normal(size=(20, num_classes)) * np.sqrt(variance) * np.geomspace(0.1, 4, 20)[:, None]
        logits[0], logits[1], logits[2, :2] = 0.0, -np.arange(num_classes) * variance**0.5, 9.0 * variance**0.5
        exact = oracles.bald_by_winner(logits, variance)
        score = bald_gaussian(jnp.asarray(logits), jnp.full(20, variance))
        np.testing.assert_allclose(score, exact, atol=atol)

    def test_the_integral_is_that_of_the_plane(self):
        """The one oracle against the other."""
        logits = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, -1.0], [4.0, 4.0, 0.0]])
        exact = oracles.bald_of_three_classes(logits, np.full(3, 9.0))
        np.testing.assert_allclose(oracles.bald_by_winner(logits, 9.0), exact, atol=1e-4)

    def test_top_rows_are_those_of_10_000_draws(self):
        """Of a linear head on many features, whose variances are near their number; 100 draws have fewer of them."""
        rng = np.random.default_rng(2)
        variance = rng.gamma(4.0, 25.0, 800)
        logits = (rng.normal(size=(800, 10)) * np.sqrt(variance)[:, None]).astype(np.float32)
        reference = acquisition.bald_sampled(jax.random.key(0), logits, jnp.asarray(variance), 10_000)
        few = acquisition.bald_sampled(jax.random.key(1), logits, jnp.asarray(variance), 100)
        best, ours, theirs = (
            set(np.argsort(-np.asarray(x))[:64].tolist()) for x in (reference, bald_gaussian(logits, variance), few)
        )
        assert len(best & ours) >= 58 > 55 > len(best & theirs)

    def test_only_rows_of_large_variance_are_integrated(self):
        """The others are those of the closed form to the bit; a mixed pool has each row's own value."""
        rng = np.random.default_rng(3)
        logits, variance = rng.normal(size=(3000, 5)).astype(np.float32), rng.uniform(0, 3, 3000).astype(np.float32)
        score = np.asarray(bald_gaussian(logits, variance))
        small = variance <= 1.1
        np.testing.assert_array_equal(score[small], jax.jit(_bald.closed_form)(logits, variance)[small])
        order = rng.permutation(3000)
        np.testing.assert_allclose(bald_gaussian(logits[order], variance[order]), score[order], atol=2e-6)

    def test_vmap_over_lanes(self):
        rng = np.random.default_rng(4)
        logits, variance = rng.normal(size=(3, 50, 4)), rng.uniform(0, 1, (3, 50)) * np.array([[0.5], [3.0], [20.0]])
        logits, variance = jnp.asarray(logits), jnp.asarray(variance)
        alone = np.stack([bald_gaussian(*lane) for lane in zip(logits, variance, strict=True)])
        np.testing.assert_allclose(jax.vmap(bald_gaussian)(logits, variance), alone, atol=2e-6)


def test_the_gradient_of_a_row_that_is_sure_is_finite():
    """Powers of its small probabilities underflow."""
    logits = jnp.asarray([[-6.5, 9.6, -6.1], [0.0, 26.9, 0.0], [0.0, 90.0, -90.0]])
    slopes = jax.grad(lambda z, v: jnp.sum(acquisition.bald_gaussian(z, v)), argnums=(0, 1))(logits, jnp.full(3, 0.95))
    assert all(jnp.isfinite(slope).all() for slope in slopes)


class TestBaldSampled:
    """BALD in logit space: one normal block for the whole pool."""

    rng = np.random.default_rng(4)
    logits = rng.normal(size=(9, 3)).astype(np.float32)
    variance = rng.uniform(0.1, 3.0, 9).astype(np.float32)

    def test_matches_quadrature_for_two_classes(self):
        """For K = 2 only f_1 - f_2 ~ N(m, 2 v) matters, so Gauss-Hermite gives the exact score."""
        exact, spread = oracles.bald_of_two_classes(self.logits[:, 0] - self.logits[:, 1], self.variance)
        got = acquisition.bald_sampled(jax.random.key(0), self.logits[:, :2], self.variance, num_samples=20_000)
        assert (np.abs(got - exact) < 5 * spread / np.sqrt(20_000)).all()
        assert exact.min() > 0.01

    def test_matches_draws_of_the_weights(self):
        rng = np.random.default_rng(5)
        root, mean, phi = rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), rng.normal(size=(6, 4))
        cov = 0.1 * root @ root.T + 0.1 * np.eye(4)
        naive, error = oracles.bald_from_weights(rng, mean, cov, phi, 20_000)
        logits, variance = oracles.predict(mean, cov, phi)
        got = acquisition.bald_sampled(jax.random.key(1), jnp.asarray(logits), jnp.asarray(variance), 20_000)
        assert (np.abs(got - naive) < 5 * np.sqrt(2) * error).all()
        assert (naive > 20 * error).all()

    def test_no_variance_no_information(self):
        score = acquisition.bald_sampled(jax.random.key(0), self.logits, jnp.zeros(9))
        # two sums of 100 equal terms, each addition rounded once
        np.testing.assert_allclose(score, 0.0, atol=100 * np.finfo(np.float32).eps)

    def test_draws_are_shared_by_the_rows(self):
        order = np.random.default_rng(6).permutation(9)
        key = jax.random.key(2)
        score = acquisition.bald_sampled(key, self.logits, self.variance, 10)
        permuted = acquisition.bald_sampled(key, self.logits[order], self.variance[order], 10)
        alone = acquisition.bald_sampled(key, self.logits[3:4], self.variance[3:4], 10)
        np.testing.assert_allclose(permuted, score[order], atol=1e-6)
        np.testing.assert_allclose(alone, score[3:4], atol=1e-6)

    def test_depends_on_the_key_and_not_on_a_hidden_state(self):
        score = [acquisition.bald_sampled(jax.random.key(k), self.logits, self.variance, 5) for k in (0, 1, 0)]
        np.testing.assert_array_equal(score[0], score[2])
        assert np.abs(score[0] - score[1]).max() > 1e-3

    def test_jit_equals_eager(self):
        eager = acquisition.bald_sampled(jax.random.key(3), self.logits, self.variance, 20)
        jitted = jax.jit(acquisition.bald_sampled, static_argnums=3)(jax.random.key(3), self.logits, self.variance, 20)
        np.testing.assert_allclose(jitted, eager, atol=1e-6)
