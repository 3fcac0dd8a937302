"""The implicit update: the mode of prior times label, against a minimiser over all of the last layer's weights."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scipy.optimize import brentq, minimize

from alfamous_jax import cycle, laplace, updates

K, D = 4, 6


def problem(seed, scale):
    """Mean [K, D], covariance [D, D], rows [8, D] and labels [8]; `scale` is that of the variances."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(D, D))
    cov = scale * (root @ root.T / D + 0.1 * np.eye(D)) / D
    return 2 * rng.normal(size=(K, D)), cov, rng.normal(size=(8, D)), rng.integers(0, K, 8)


def posterior_of(mean, cov):
    return laplace.Posterior(jnp.asarray(mean), jnp.asarray(cov))


def loss(weights, mean, cov, row, label):
    """Minus the log of prior times likelihood, and its gradient, for all weights [K D]."""
    moved = weights.reshape(mean.shape) - mean
    pull = np.linalg.solve(cov, moved.T).T
    logits = weights.reshape(mean.shape) @ row
    probs = oracles.softmax(logits)
    slope = pull + np.outer(probs - (np.arange(len(mean)) == label), row)
    return 0.5 * np.sum(moved * pull) - np.log(probs[label]), slope.ravel()


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(3))
def test_is_the_mode_of_all_weights(seed, scale):
    mean, cov, phi, labels = problem(seed, scale)
    after, change = updates.rank_one(posterior_of(mean, cov), jnp.asarray(phi[0]), int(labels[0]), implicit=True)
    given = mean, cov, phi[0], labels[0]
    best = minimize(loss, np.asarray(after.mean, float).ravel(), given, jac=True, method="BFGS", tol=1e-9)
    np.testing.assert_allclose(after.mean, best.x.reshape(K, D), atol=2e-4 * max(1, scale**0.5))
    weight = oracles.curvature(best.x.reshape(K, D) @ phi[0])
    precision = np.linalg.inv(cov) + weight * np.outer(phi[0], phi[0])
    np.testing.assert_allclose(after.cov, np.linalg.inv(precision), atol=1e-4 * scale)
    assert 0 < jnp.linalg.norm(change.step) <= 2**0.5


def test_hand_value():
    """Two classes, logits 0, variance 4: s = 1 - sigmoid(8 s) for the label, -s for the other."""
    start = laplace.Posterior(jnp.zeros((2, 1)), jnp.full((1, 1), 4.0))
    _, change = updates.rank_one(start, jnp.ones(1), 0, implicit=True)
    expected = brentq(lambda s: s - 1 + 1 / (1 + np.exp(-8 * s)), 0, 1)
    np.testing.assert_allclose(change.step, [expected, -expected], atol=1e-6)


def test_a_label_against_a_model_that_is_sure_does_not_make_it_sure_of_the_other():
    """Eq. 7 divides by next to no curvature and moves the logits by nearly the variance."""
    start = laplace.Posterior(jnp.array([[12.0], [0.0], [0.0]]), jnp.full((1, 1), 100.0))
    logits = {
        implicit: updates.rank_one(start, jnp.ones(1), 1, implicit=implicit)[0].mean[:, 0] for implicit in (True, False)
    }
    assert logits[False][1] - logits[False][0] > 100
    assert 0 < logits[True][1] - logits[True][0] < 5


@pytest.mark.parametrize("other", [{"step_size": 0.5}, {"repeats": 2}], ids=str)
def test_options_of_the_other_update_are_refused(other):
    start = laplace.Posterior(jnp.zeros((2, 1)), jnp.ones((1, 1)))
    with pytest.raises(ValueError, match="implicit has no step_size"):
        updates.rank_one(start, jnp.ones(1), 0, implicit=True, **other)


def test_is_the_step_of_the_paper_for_small_variances():
    """They differ by the square of the variance."""
    mean, cov, phi, labels = problem(0, 1.0)
    apart = []
    for scale in (1e-2, 1e-1):
        posterior = posterior_of(mean, scale * cov)
        steps = [updates.rank_one(posterior, jnp.asarray(phi[0]), labels[0], implicit=x)[1].step for x in (True, False)]
        apart.append(np.abs(steps[0] - steps[1]).max())
    assert apart[0] < 2e-3 and apart[0] < 0.3 * apart[1]


@pytest.mark.parametrize("variance", [0.0, 1e-6, 1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_extremes(variance, size):
    rng = np.random.default_rng(0)
    for num_classes in (1, 2, 50):
        mean = jnp.asarray(size * rng.normal(size=(num_classes, 1)))
        start = laplace.Posterior(mean, jnp.full((1, 1), variance))
        after, change = updates.rank_one(start, jnp.ones(1), num_classes - 1, implicit=True)
        probs = jax.nn.softmax(mean[:, 0] + variance * change.step)
        target = jax.nn.one_hot(num_classes - 1, num_classes)
        assert jnp.abs(change.step - target + probs).max() < 1e-4
        assert jnp.isfinite(after.mean).all() and 0 <= after.cov[0, 0] <= variance


def test_many_are_those_in_turn_and_zero_rows_change_nothing():
    mean, cov, phi, labels = problem(1, 20.0)
    phi[3] = 0.0
    together, gains = updates.update_many(posterior_of(mean, cov), jnp.asarray(phi), jnp.asarray(labels), implicit=True)
    alone = posterior_of(mean, cov)
    for row, label in zip(phi, labels, strict=True):
        alone, change = updates.rank_one(alone, jnp.asarray(row), int(label), implicit=True)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-4), together, alone)
    np.testing.assert_array_equal(gains.column[3], 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("minibatch", [1, 3])
def test_a_cycle_in_one_scan_is_that_of_its_steps(minibatch):
    rng = np.random.default_rng(2)
    mean, cov, _, _ = problem(2, 50.0)
    phi, labels = jnp.asarray(rng.normal(size=(40, D))), jnp.asarray(rng.integers(0, K, 40))
    state = cycle.init(posterior_of(mean, cov), phi, jnp.ones(40, bool), jnp.ones(K, int))
    key, options = jax.random.key(0), {"utility": "margin", "lam": 0.1}
    end, info = cycle.acquire(key, state, phi, labels, budget=6, minibatch=minibatch, implicit=True, **options)
    picks = []
    for _ in range(6 // minibatch):
        rows, _ = cycle.query(state, jax.random.clone(key), num=minibatch, **options)
        state = cycle.update(state, phi, rows, labels[rows], implicit=True)
        picks += rows.tolist()
    assert info.indices.tolist() == picks
    np.testing.assert_allclose(end.logits, state.logits, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(end.variance, state.variance, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_head_fitted_to_few_rows_learns_from_labels_as_a_fit_does():
    """Digits of scikit-learn, ridge .001: after 60 updates the accuracy is near that of a fit; Eq. 7 ends far below."""
    from sklearn.datasets import load_digits

    from alfamous_jax import last_layer

    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    rows, labels = np.asarray(rows[order], np.float32), labels[order]
    maps = last_layer.measure(rows, 0)
    few, all_known = (last_layer.fit(maps, jax.random.key(0), rows[:n], labels[:n], 10) for n in (40, 100))
    phi = last_layer.phi_of(maps, few.place, rows)

    def accuracy(mean, features):
        return np.mean(np.argmax(features[100:] @ mean.T, axis=1) == labels[100:])

    fitted = accuracy(all_known.posterior.mean, last_layer.phi_of(maps, all_known.place, rows))
    told = few.posterior, phi[40:100], jnp.asarray(labels[40:100])
    implicit, of_paper = (accuracy(updates.update_many(*told, implicit=x)[0].mean, phi) for x in (True, False))
    before = accuracy(few.posterior.mean, phi)
    assert implicit > fitted - 0.04 > before + 0.05
    assert of_paper < before - 0.2

    # Neither the driver nor sessions look at the drift: under such a ridge float32 holds more labels than they take.
    pool = jnp.asarray(labels), jnp.arange(len(labels)) >= 40, jnp.bincount(labels[:40], length=10)
    settings = {"utility": "margin", "budget": 400, "implicit": True}
    _, info = cycle.run(jax.random.key(0), few.posterior, phi, *pool, **settings)
    assert few.ridge == pytest.approx(0.001) and info.num_selected == 400 and 0 < info.drift < 1e-3
