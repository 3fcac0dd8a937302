"""Rows that count more or less than others, in one program: against float64, refits and repeated rows."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from alfamous_jax import laplace
from alfamous_jax.networks import evidence, map_head

pytestmark = pytest.mark.slow

SIZE, NUM, WIDTH, K, RIDGE = 96, 32, 5, 3, 0.3
RNG = np.random.default_rng(2)
LABELS = RNG.permutation(np.arange(NUM) % K)
ROWS = (RNG.normal(size=(NUM, WIDTH)) + 1.5 * RNG.normal(size=(K, WIDTH))[LABELS]) / 3
WHOLE = RNG.integers(0, 5, NUM)  # some are 0
PARTS = RNG.uniform(0.05, 6, NUM)


@jax.jit
def program(rows, labels, mask, ridge):
    """Weights, how their fit ended, evidence, loss of rows left out, covariance."""
    mean, info = map_head.fit(rows, labels, mask, K, ridge, tolerance=1e-6)
    base = map_head.basis(rows, mask)
    among = base, labels, mask, mean @ base.directions, ridge
    cov = laplace.fit(mean, rows, mask, ridge).cov
    return mean, info, evidence.log_evidence(*among), evidence.leave_one_out_loss(*among), cov


def seen(rows, labels, counts, ridge=RIDGE):
    """Padding holds NaN and counts nothing."""
    short = SIZE - len(rows)
    padded = np.pad(rows, ((0, short), (0, 0)), constant_values=np.nan).astype(np.float32)
    return program(padded, np.pad(labels, (0, short)), np.pad(counts, (0, short)).astype(np.float32), ridge)


@pytest.fixture(scope="module")
def parts():
    return seen(ROWS, LABELS, PARTS)


def refit(counts):
    fitted = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-10, max_iter=5000)
    return fitted.fit(ROWS, LABELS, sample_weight=counts).coef_


def objective(mean, counts):
    losses = [-log_softmax(mean @ row)[label] for row, label in zip(ROWS, LABELS, strict=True)]
    return sum(m * loss for m, loss in zip(counts, losses, strict=True)) + RIDGE / 2 * np.sum(mean**2)


@pytest.mark.parametrize("counts", [WHOLE, PARTS, 30 * PARTS, PARTS / 100], ids=["whole", "parts", "large", "small"])
def test_no_optimiser_finds_less(counts):
    mean, info, *_ = seen(ROWS, LABELS, counts)
    found, known = objective(np.asarray(mean, float), counts), objective(refit(counts), counts)
    assert info.converged and found <= known * (1 + 1e-4)
    np.testing.assert_allclose(info.objective, found, rtol=1e-5)


def test_a_row_of_two_is_one_that_is_there_twice():
    counted = seen(ROWS, LABELS, WHOLE)
    again = seen(np.repeat(ROWS, WHOLE, axis=0), np.repeat(LABELS, WHOLE), np.ones(WHOLE.sum()))
    for name, one, other in zip(("mean", "info", "evidence", "loss", "cov"), counted, again, strict=True):
        if name in ("mean", "evidence", "cov"):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3, err_msg=name)
    np.testing.assert_allclose(counted[1].objective, again[1].objective, rtol=1e-5)


def test_weights_and_ridge_by_one_factor_change_nothing(parts):
    mean, info, *_ = seen(ROWS, LABELS, 4 * PARTS, 4 * RIDGE)
    np.testing.assert_allclose(mean, parts[0], atol=2e-3)
    np.testing.assert_allclose(info.objective, 4 * parts[1].objective, rtol=1e-5)


def test_the_order_of_the_rows_does_not_matter(parts):
    order = np.random.default_rng(0).permutation(NUM)
    for one, other in zip(parts[2:], seen(ROWS[order], LABELS[order], PARTS[order])[2:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_evidence_and_covariance_are_those_of_dense_matrices(parts):
    mean = np.asarray(parts[0], float)
    probs = softmax(ROWS @ mean.T, axis=1)
    spread = PARTS[:, None] * probs * (1 - probs)
    volumes = [np.linalg.slogdet(np.eye(WIDTH) + (ROWS.T * w) @ ROWS / RIDGE)[1] for w in spread.T]
    np.testing.assert_allclose(parts[2], -objective(mean, PARTS) - sum(volumes) / 2, rtol=1e-5)
    weight = PARTS * probs.max(axis=1) * (1 - probs.max(axis=1))
    np.testing.assert_allclose(parts[4], np.linalg.inv(RIDGE * np.eye(WIDTH) + (ROWS.T * weight) @ ROWS), rtol=1e-3)


def test_a_row_is_left_out_with_all_that_it_counts(parts):
    """One Newton step, class by class, from the fit without the row's gradient and curvature to the next."""
    mean = np.asarray(parts[0], float)
    probs, losses = softmax(ROWS @ mean.T, axis=1), []
    for row, p, label, m in zip(ROWS, probs, LABELS, PARTS, strict=True):
        logits = mean @ row
        for k in range(K):
            whole = RIDGE * np.eye(WIDTH) + (ROWS.T * (PARTS * probs[:, k] * (1 - probs[:, k]))) @ ROWS
            without = whole - m * p[k] * (1 - p[k]) * np.outer(row, row)
            logits[k] += m * (p[k] - (k == label)) * row @ np.linalg.solve(without, row)
        losses.append(-log_softmax(logits)[label])
    np.testing.assert_allclose(parts[3], np.average(losses, weights=PARTS), rtol=1e-3)


def test_one_row_by_hand():
    """Where the gradient is 0, ridge w_k = m (y_k - p_k) on the one column that the row has."""
    mean = np.asarray(seen(np.eye(1, WIDTH), np.array([0]), np.array([2.5]))[0], float)
    first = 2.5 * (np.array([1, 0, 0]) - softmax(mean[:, 0])) / RIDGE
    np.testing.assert_allclose(mean[:, 0], first, atol=2e-3)
    assert mean[0, 0] > 1 and not mean[:, 1:].any()


def test_a_row_that_counts_less_than_nothing_is_refused():
    with pytest.raises(ValueError, match=r"mask must be at least 0, got -2.0 at 1"):
        map_head.fit(np.ones((2, 1), np.float32), np.array([0, 1]), np.array([1.0, -2.0]), 2)
