"""A last layer with a prior of its own mean, against scipy.optimize on the objective in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from alfamous_jax import laplace
from alfamous_jax.networks import evidence, map_head

pytestmark = pytest.mark.slow

K, M, PADDING = 4, 20, 5


def pool(width, seed=0):
    """Labels of three of four classes, and padding that holds NaN; a prior that knows something of all."""
    rng = np.random.default_rng(seed)
    labels, centres = rng.integers(0, K - 1, M + PADDING), rng.normal(size=(K, width)) / np.sqrt(width)
    rows = centres[labels] + rng.normal(size=(M + PADDING, width)) / np.sqrt(width)
    rows[M:] = np.nan
    prior = 2 * centres + 0.5 * rng.normal(size=(K, width))
    return rows.astype(np.float32), labels, np.arange(M + PADDING) < M, prior.astype(np.float32)


def objective(flat, rows, labels, ridge, prior):
    """The value and its gradient; a bias, where there is one more weight, is free."""
    weights = flat.reshape(K, -1)
    seen = rows if weights.shape[1] == rows.shape[1] else np.column_stack([rows, np.ones(len(rows))])
    logits, moved = seen @ weights.T, weights[:, : rows.shape[1]] - prior
    value = -log_softmax(logits, axis=1)[np.arange(len(rows)), labels].sum() + ridge / 2 * (moved**2).sum()
    gradient = (softmax(logits, axis=1) - np.eye(K)[labels]).T @ seen
    gradient[:, : rows.shape[1]] += ridge * moved
    return value, gradient.ravel()


@pytest.mark.parametrize("width", [6, 50])
@pytest.mark.parametrize("ridge", [0.03, 1.0])
def test_no_optimiser_finds_less(width, ridge):
    rows, labels, mask, prior = pool(width)
    mean, info = map_head.fit(rows, labels, mask, K, ridge, prior_mean=prior, tolerance=1e-6)
    arrays = rows[:M].astype(float), labels[:M], ridge, prior.astype(float)
    known = minimize(objective, np.zeros(K * width), arrays, jac=True, method="L-BFGS-B", tol=1e-14)
    found = objective(np.asarray(mean, float).ravel(), *arrays)[0]
    assert info.converged and found <= known.fun * (1 + 1e-5)
    assert float(info.objective) == pytest.approx(found, rel=1e-5) and found - known.fun <= info.gap + 1e-6 * found
    np.testing.assert_allclose(mean, known.x.reshape(K, width), atol=np.sqrt(2e-6 * found / ridge) + 1e-4)


def test_a_bias_beside_it_is_not_penalised():
    rows, labels, mask, prior = pool(6)
    labels = np.arange(M + PADDING) % K  # a class without labels has no bias
    mean, info = map_head.fit(rows, labels, mask, K, 0.3, prior_mean=prior, intercept=True, tolerance=1e-6)
    arrays = rows[:M].astype(float), labels[:M], 0.3, prior.astype(float)
    known = minimize(objective, np.zeros(K * 7), arrays, jac=True, method="L-BFGS-B", tol=1e-14)
    assert info.converged and objective(np.asarray(mean, float).ravel(), *arrays)[0] <= known.fun * (1 + 1e-5)


def test_a_prior_of_0_is_none_and_one_for_all_classes_changes_nothing():
    """Softmax does not see what all classes have in common."""
    rows, labels, mask, prior = pool(50)
    plain, known = map_head.fit(rows, labels, mask, K, 0.1)
    zero, info = map_head.fit(rows, labels, mask, K, 0.1, prior_mean=np.zeros_like(prior))
    np.testing.assert_allclose(zero, plain, atol=1e-6)
    np.testing.assert_allclose(info.objective, known.objective, rtol=1e-6)
    common, _ = map_head.fit(rows, labels, mask, K, 0.1, prior_mean=np.tile(prior[:1], (K, 1)))
    np.testing.assert_allclose(common - prior[0], plain, atol=0.01)


def test_without_labels_the_posterior_is_the_prior():
    rows, labels, _, prior = pool(6)
    none = np.zeros(len(rows), bool)
    mean, info = map_head.fit(rows, labels, none, K, 0.5, prior_mean=prior)
    np.testing.assert_array_equal(mean, prior)
    assert info.converged and info.num_steps == 0
    posterior = laplace.fit(mean, rows, none, 0.5)
    np.testing.assert_array_equal(posterior.mean, prior)
    np.testing.assert_allclose(posterior.cov, np.eye(6) / 0.5, rtol=1e-6)


def test_what_no_label_speaks_of_stays_as_it_was():
    """Directions in which no row lies, for all classes; and everything under a large ridge."""
    rows, labels, mask, prior = pool(50)
    mean, _ = map_head.fit(rows, labels, mask, K, 0.03, prior_mean=prior)
    outside = np.linalg.svd(rows[:M].astype(float))[2][M:]
    np.testing.assert_allclose(np.asarray(mean) @ outside.T, prior @ outside.T, atol=1e-4)
    assert np.abs(np.asarray(mean) - prior).max() > 0.5
    held, _ = map_head.fit(rows, labels, mask, K, 1e4, prior_mean=prior)
    np.testing.assert_allclose(held, prior, atol=2e-3)


def test_in_a_basis_it_is_the_same_fit_and_both_criteria_follow():
    rows, labels, mask, prior = pool(50)
    base = map_head.basis(rows, mask)
    inside = jnp.asarray(prior) @ base.directions
    fit_in = jax.jit(map_head.fit_in, static_argnums=3)
    weights, info = fit_in(base, labels, mask, K, 0.1, prior_mean=inside)
    mean, _ = map_head.fit(rows, labels, mask, K, 0.1, prior_mean=prior)
    np.testing.assert_allclose(prior + (weights - inside) @ base.directions.T, mean, atol=1e-5)

    seen, exact = np.asarray(base.rows[:M], float), np.asarray(weights, float)
    probs = softmax(seen @ exact.T, axis=1)
    loss = objective(exact.ravel(), seen, labels[:M], 0.1, np.asarray(inside, float))[0]
    volumes = [np.linalg.slogdet(np.eye(len(seen.T)) + (seen.T * w) @ seen / 0.1)[1] for w in (probs * (1 - probs)).T]
    found = evidence.log_evidence(base, labels, mask, weights, 0.1, inside)
    assert float(found) == pytest.approx(-loss - sum(volumes) / 2, rel=1e-5)

    left_out = []
    for row in range(M):
        without, _ = fit_in(base, labels, mask & (np.arange(len(mask)) != row), K, 0.1, prior_mean=inside)
        left_out.append(-log_softmax(seen[row] @ np.asarray(without, float).T)[labels[row]])
    estimate = float(evidence.leave_one_out_loss(base, labels, mask, weights, 0.1))
    trained = -np.mean(log_softmax(seen @ exact.T, axis=1)[np.arange(M), labels[:M]])
    assert abs(estimate - np.mean(left_out)) < 0.25 * (np.mean(left_out) - trained)


def test_another_shape_is_refused():
    rows, labels, mask, prior = pool(6)
    with pytest.raises(ValueError, match=r"prior_mean must be of shape \[4, 6\], got \[4, 5\]"):
        map_head.fit(rows, labels, mask, K, 1.0, prior_mean=prior[:, :5])
