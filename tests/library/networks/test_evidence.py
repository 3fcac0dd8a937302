"""Evidence against dense determinants in float64, leave-one-out against fits that leave one out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from alfamous_jax.networks import evidence, map_head

pytestmark = pytest.mark.slow

K, RIDGE = 4, 0.1


def fitted(num, width, padding=5):
    """Clouds of four classes, a fit to them, and padding that holds NaN."""
    rng = np.random.default_rng(0)
    labels = rng.choice(K, num + padding, p=[0.5, 0.3, 0.15, 0.05])
    rows = (rng.normal(size=(num + padding, width)) + 1.5 * rng.normal(size=(K, width))[labels]) / np.sqrt(3 * width)
    rows[num:] = np.nan
    mask = np.arange(num + padding) < num
    base = map_head.basis(jnp.asarray(rows, jnp.float32), mask)
    weights, info = jax.jit(map_head.fit_in, static_argnums=3)(base, labels, mask, K, RIDGE)
    assert info.converged
    return rows[:num], labels, mask, base, weights


def by_class(rows, labels, mean):
    """Loss, and p_k (1 - p_k) [K, M], in float64."""
    logits = rows @ mean.T
    probs = softmax(logits, axis=1)
    return -np.sum(log_softmax(logits, axis=1)[np.arange(len(rows)), labels]), (probs * (1 - probs)).T


def dense_evidence(rows, labels, mean):
    loss, spread = by_class(rows, labels, mean)
    volumes = [np.linalg.slogdet(np.eye(rows.shape[1]) + (rows.T * w) @ rows / RIDGE)[1] for w in spread]
    return -loss - RIDGE / 2 * np.sum(mean**2) - sum(volumes) / 2


@pytest.mark.parametrize(("num", "width"), [(60, 8), (60, 200), (100, 120), (200, 100)])
def test_evidence_is_that_of_dense_determinants(num, width):
    rows, labels, mask, base, weights = fitted(num, width)
    mean = np.asarray(weights @ base.directions.T, np.float64)
    found = jax.jit(evidence.log_evidence)(base, labels, mask, weights, RIDGE)
    np.testing.assert_allclose(found, dense_evidence(rows, labels[:num], mean), rtol=1e-5)


def test_evidence_of_many_rows_is_a_tight_lower_bound():
    num, width = 300, 250
    rows, labels, mask, base, weights = fitted(num, width)
    mean = np.asarray(weights @ base.directions.T, np.float64)
    found, known = evidence.log_evidence(base, labels, mask, weights, RIDGE), dense_evidence(rows, labels[:num], mean)
    assert known * 1.05 <= found <= known + 1e-5 * abs(known)


@pytest.mark.parametrize(("num", "width"), [(40, 6), (60, 150)])
def test_a_row_left_out_loses_what_a_fit_without_it_says(num, width):
    rows, labels, mask, base, weights = fitted(num, width)
    found = jax.jit(evidence.leave_one_out_loss)(base, labels, mask, weights, RIDGE)
    fit = jax.jit(jax.vmap(lambda kept: map_head.fit(jnp.nan_to_num(base.rows), labels, kept, K, RIDGE)[0]))
    means = fit(mask & ~np.eye(len(mask), dtype=bool)[:num])
    logits = np.einsum("mr,mkr->mk", base.rows[:num], means)
    known = -np.mean(log_softmax(logits, axis=1)[np.arange(num), labels[:num]])
    trained = -np.mean(log_softmax(np.asarray(base.rows @ weights.T)[:num], axis=1)[np.arange(num), labels[:num]])
    assert abs(found - known) < 0.1 * known and abs(found - known) < 0.25 * (known - trained)


def test_a_step_by_hand():
    """One row, one coordinate: h = z^2 / (ridge + w z^2), and the loss at the moved logits."""
    base = map_head.Basis(jnp.array([[2.0]]), jnp.eye(1), jnp.array([4.0]), jnp.array([[4.0]]))
    weights = jnp.array([[0.3], [-0.3]])
    p = 1 / (1 + np.exp(-1.2))
    w = p * (1 - p)
    step = 4 / (0.5 + 4 * w) / (1 - w * 4 / (0.5 + 4 * w))
    lead = 1.2 + 2 * step * (p - 1)
    found = evidence.leave_one_out_loss(base, jnp.array([0]), jnp.array([True]), weights, 0.5)
    np.testing.assert_allclose(found, np.log1p(np.exp(-lead)), rtol=1e-5)


def test_more_rows_than_are_taken_exactly_change_little():
    rows, labels, mask, base, weights = fitted(300, 250)
    found = evidence.leave_one_out_loss(base, labels, mask, weights, RIDGE)
    mean = np.asarray(weights @ base.directions.T, np.float64)
    _, spread = by_class(rows, labels[:300], mean)
    logits, targets = rows @ mean.T, np.eye(K)[labels[:300]]
    moved = logits.copy()
    for k, w in enumerate(spread):
        inverse = np.linalg.inv(RIDGE * np.eye(250) + (rows.T * w) @ rows)
        h = np.sum(rows @ inverse * rows, axis=1)
        moved[:, k] += (softmax(logits, axis=1) - targets)[:, k] * h / (1 - w * h)
    known = -np.mean(np.sum(log_softmax(moved, axis=1) * targets, axis=1))
    assert known * 0.999 <= found <= known * 1.05
