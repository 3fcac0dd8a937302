"""The rank-one update against the authors' order, explicit inverses and a long float64 run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import laplace, updates

K, D = 4, 6


def problem(seed, rows=10):
    """Mean [K, D], covariance [D, D] of a few labels, pool features [rows, D] and labels [rows]."""
    rng = np.random.default_rng(seed)
    mean, phi = rng.normal(size=(K, D)), rng.normal(size=(rows, D))
    return mean, oracles.laplace_cov(mean, rng.normal(size=(3, D)), 1.0), phi, rng.integers(0, K, rows)


def posterior_of(mean, cov):
    return laplace.Posterior(jnp.asarray(mean), jnp.asarray(cov))


def test_hand_value():
    start = laplace.Posterior(jnp.zeros((2, 2)), jnp.diag(jnp.array([1.0, 2.0])))
    phi = jnp.array([1.0, 0.5])
    after, gain = updates.rank_one(start, phi, 0)
    np.testing.assert_allclose(after.mean, [[0.36363636, 0.36363636], [-0.36363636, -0.36363636]], atol=1e-7)
    np.testing.assert_allclose(after.cov, [[0.85321942, -0.14678058], [-0.14678058, 1.85321942]], atol=1e-7)
    np.testing.assert_allclose(gain.column, [1.0, 1.0], atol=1e-7)
    np.testing.assert_allclose(gain.step, [0.36363636, -0.36363636], atol=1e-7)
    np.testing.assert_allclose(gain.shrink, 0.14678058, atol=1e-7)
    logits, variance = laplace.predict(after, phi[None])
    np.testing.assert_allclose(variance, [1.16974369], atol=1e-6)
    np.testing.assert_allclose(laplace.mean_field(logits, variance), [[0.71157415, 0.28842585]], atol=1e-6)


@pytest.mark.parametrize("repeats", [1, 2, 5], ids="{}_repeats".format)
@pytest.mark.parametrize("step_size", [1.0, 0.3], ids="step_{}".format)
@pytest.mark.parametrize("seed", range(2))
def test_parity_with_the_order_of_the_authors(seed, step_size, repeats):
    mean, cov, phi, labels = problem(seed)
    with jax.enable_x64(True):
        posterior = posterior_of(mean, cov)
        for row, label in zip(phi, labels, strict=True):
            posterior, _ = updates.rank_one(posterior, jnp.asarray(row), label, step_size=step_size, repeats=repeats)
            mean, cov = oracles.fast_update(mean, cov, row, label, step_size, repeats)
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-12)
    np.testing.assert_allclose(posterior.cov, cov, atol=1e-12)


def test_precision_gains_the_new_curvature():
    mean, cov, phi, labels = problem(5)
    with jax.enable_x64(True):
        after, _ = updates.rank_one(posterior_of(mean, cov), jnp.asarray(phi[0]), labels[0])
    gained = np.linalg.inv(after.cov) - np.linalg.inv(cov)
    old, new = (oracles.curvature(np.asarray(m) @ phi[0]) for m in (mean, after.mean))
    np.testing.assert_allclose(gained, new * np.outer(phi[0], phi[0]), atol=1e-12)
    assert abs(new - old) > 1e-3


@pytest.mark.parametrize("repeats", [1, 3], ids="{}_repeats".format)
@pytest.mark.parametrize("step_size", [1.0, 0.3], ids="step_{}".format)
def test_refresh_equals_prediction_from_scratch(step_size, repeats):
    mean, cov, phi, _ = problem(6)
    with jax.enable_x64(True):
        posterior = posterior_of(mean, cov)
        before = laplace.predict(posterior, jnp.asarray(phi))
        after, gain = updates.rank_one(posterior, jnp.asarray(phi[2]), 1, step_size=step_size, repeats=repeats)
        logits, variance = updates.refresh(*before, jnp.asarray(phi), gain)
    expected = oracles.predict(np.asarray(after.mean), np.asarray(after.cov), phi)
    np.testing.assert_allclose(logits, expected[0], atol=1e-13)
    np.testing.assert_allclose(variance, expected[1], atol=1e-13)
    assert np.abs(logits - before[0]).max() > 0.05


def test_the_mean_moves_towards_the_label():
    mean, cov, phi, _ = problem(7)
    for label in range(K):
        after, _ = updates.rank_one(posterior_of(mean, cov), jnp.asarray(phi[0]), label)
        moved = np.asarray(after.mean) @ phi[0] - mean @ phi[0]
        assert moved[label] > 0 and (np.delete(moved, label) < 0).all()


def test_no_step_leaves_the_mean_and_still_learns_the_covariance():
    mean, cov, phi, _ = problem(8)
    after, gain = updates.rank_one(posterior_of(mean, cov), jnp.asarray(phi[0]), 0, step_size=0.0)
    np.testing.assert_array_equal(after.mean, mean.astype(np.float32))
    np.testing.assert_array_equal(gain.step, np.zeros(K))
    expected = np.linalg.inv(np.linalg.inv(cov) + oracles.curvature(mean @ phi[0]) * np.outer(phi[0], phi[0]))
    np.testing.assert_allclose(after.cov, expected, atol=1e-6)


def test_variance_never_increases():
    mean, cov, phi, labels = problem(9, rows=30)
    posterior = posterior_of(mean, cov)
    logits, variance = laplace.predict(posterior, jnp.asarray(phi))
    for row, label in zip(phi, labels, strict=True):
        posterior, gain = updates.rank_one(posterior, jnp.asarray(row), label)
        logits, smaller = updates.refresh(logits, variance, jnp.asarray(phi), gain)
        assert (np.asarray(smaller) <= np.asarray(variance)).all() and (np.asarray(smaller) >= 0).all()
        variance = smaller
    assert gain.shrink > 0


class TestUpdateMany:
    """Several labels in one scan."""

    mean, cov, phi, labels = problem(10)
    start = mean, cov

    def many(self, phi, labels):
        return updates.update_many(posterior_of(*self.start), jnp.asarray(phi), jnp.asarray(labels))

    def test_equals_one_after_the_other(self):
        posterior, gains = self.many(self.phi, self.labels)
        one = posterior_of(*self.start)
        for i, (row, label) in enumerate(zip(self.phi, self.labels, strict=True)):
            one, gain = updates.rank_one(one, jnp.asarray(row), label)
            for stacked, single in zip(gains, gain, strict=True):
                np.testing.assert_allclose(stacked[i], single, atol=2e-6)
        np.testing.assert_allclose(posterior.mean, one.mean, atol=2e-6)
        np.testing.assert_allclose(posterior.cov, one.cov, atol=2e-6)

    def test_stacked_gains_refresh_in_one_pass(self):
        pool = np.random.default_rng(11).normal(size=(15, D))
        with jax.enable_x64(True):
            posterior, gains = self.many(self.phi, self.labels)
            before = laplace.predict(posterior_of(*self.start), jnp.asarray(pool))
            logits, variance = updates.refresh(*before, jnp.asarray(pool), gains)
        expected = oracles.predict(np.asarray(posterior.mean), np.asarray(posterior.cov), pool)
        np.testing.assert_allclose(logits, expected[0], atol=1e-12)
        np.testing.assert_allclose(variance, expected[1], atol=1e-12)

    def test_a_zero_row_has_no_effect(self):
        keep = np.array([True, False, True, True, False, True, True, True, False, True])
        padded, _ = self.many(np.where(keep[:, None], self.phi, 0), self.labels)
        dense, _ = self.many(self.phi[keep], self.labels[keep])
        np.testing.assert_allclose(padded.mean, dense.mean, atol=1e-6)
        np.testing.assert_allclose(padded.cov, dense.cov, atol=1e-6)

    def test_only_zero_rows_change_nothing(self):
        posterior, gains = self.many(np.zeros((3, D)), np.zeros(3, int))
        np.testing.assert_array_equal(posterior.mean, self.mean.astype(np.float32))
        np.testing.assert_array_equal(posterior.cov, self.cov.astype(np.float32))
        before = laplace.predict(posterior, jnp.asarray(self.phi))
        for old, new in zip(before, updates.refresh(*before, jnp.asarray(self.phi), gains), strict=True):
            np.testing.assert_array_equal(old, new)


class TestVmap:
    """vmap of the pure function equals a loop."""

    mean, cov, phi, labels = problem(12)

    def compare(self, batched, singles):
        for got, *expected in zip(jax.tree.leaves(batched), *map(jax.tree.leaves, singles), strict=True):
            np.testing.assert_allclose(got, np.stack(expected), atol=2e-6)

    def test_over_candidate_rows(self):
        posterior, phi = posterior_of(self.mean, self.cov), jnp.asarray(self.phi)
        batched = jax.vmap(updates.rank_one, in_axes=(None, 0, 0))(posterior, phi, jnp.asarray(self.labels))
        self.compare(batched, [updates.rank_one(posterior, *pair) for pair in zip(phi, self.labels, strict=True)])

    def test_over_hypothetical_labels(self):
        posterior, row = posterior_of(self.mean, self.cov), jnp.asarray(self.phi[0])
        batched = jax.vmap(updates.rank_one, in_axes=(None, None, 0))(posterior, row, jnp.arange(K))
        self.compare(batched, [updates.rank_one(posterior, row, label) for label in range(K)])

    def test_over_seeds(self):
        problems = [problem(seed, rows=4) for seed in range(3)]
        arguments = [(posterior_of(m, c), jnp.asarray(f), jnp.asarray(y)) for m, c, f, y in problems]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *arguments)
        self.compare(jax.vmap(updates.update_many)(*stacked), [updates.update_many(*a) for a in arguments])


@functools.cache
def long_run(labels_known=32, updates_done=300, pool=100, dim=1024, classes=10):
    """300 labels at D = 1024: inputs in float32, and the float64 answer recomputed from mean and covariance."""
    rng = np.random.default_rng(13)
    phi = (np.sqrt(2 / dim) * np.cos(rng.normal(size=(labels_known + updates_done + pool, dim)))).astype(np.float32)
    phi += (0.02 * rng.normal(size=phi.shape)).astype(np.float32)
    mean = rng.normal(size=(classes, dim)).astype(np.float32)
    labelled, queried, rest = np.split(phi, [labels_known, labels_known + updates_done])
    labels = rng.integers(0, classes, updates_done)
    base = oracles.laplace_cov(mean.astype(float), labelled.astype(float), 1.0)
    true_mean, true_cov = mean.astype(float), base
    for row, label in zip(queried.astype(float), labels, strict=True):
        true_mean, true_cov = oracles.fast_update_woodbury(true_mean, true_cov, row, label)
    return mean, base, queried, labels, rest, oracles.predict(true_mean, true_cov, rest.astype(float))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["after_each_label", "in_one_pass"])
def test_300_updates_in_float32(order):
    mean, base, queried, labels, pool, expected = long_run()
    start = laplace.Posterior(jnp.asarray(mean), jnp.asarray(base, jnp.float32))

    @jax.jit
    def after_each_label(queried, labels):
        def step(carry, pair):
            posterior, logits, variance = carry
            posterior, gain = updates.rank_one(posterior, *pair)
            return (posterior, *updates.refresh(logits, variance, pool, gain)), None

        return jax.lax.scan(step, (start, *laplace.predict(start, pool)), (queried, labels))[0][1:]

    @jax.jit
    def in_one_pass(queried, labels):
        _, gains = updates.update_many(start, queried, labels)
        return updates.refresh(*laplace.predict(start, pool), pool, gains)

    got = {"after_each_label": after_each_label, "in_one_pass": in_one_pass}[order](queried, jnp.asarray(labels))
    before = laplace.predict(start, pool)
    for value, truth, untouched in zip(got, expected, before, strict=True):
        scale = np.abs(truth).max()
        assert np.abs(untouched - truth).max() > 0.05 * scale
        assert np.abs(np.asarray(value, np.float64) - truth).max() < 1e-5 * scale
