"""The linear support vector machine against scikit-learn's and float64 loops."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from alfamous_jax import imbalance
from alfamous_jax.networks import svm

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)


def digits(num=600):
    """Rows of scikit-learn's digits, two classes of them rare, one of the ten missing."""
    x, y = load_digits(return_X_y=True)
    keep = np.concatenate([np.flatnonzero(y == k)[: {3: 8, 7: 15, 9: 0}.get(k, 100)] for k in range(10)])
    keep = RNG.permutation(keep)[:num]
    return ((x[keep] - 5.0) / 6.0).astype(np.float32), y[keep].astype(np.int32)


def loops(weights, bias, x, y, weight, cost):
    """The objective row by row, class by class."""
    values = np.zeros(len(bias))
    for k in range(len(bias)):
        values[k] = 0.5 * (weights[k] @ weights[k] + bias[k] ** 2)
        for row, label, w in zip(x, y, weight, strict=True):
            sign = 1.0 if label == k else -1.0
            values[k] += cost * w * max(0.0, 1.0 - sign * (weights[k] @ row + bias[k])) ** 2
    return values


@pytest.mark.parametrize("cost", [0.05, 1.0])
@pytest.mark.parametrize("balanced", [True, False], ids=["balanced", "plain"])
def test_the_objective_is_that_of_linear_svc(cost, balanced):
    """Class by class, within 1e-3; liblinear takes the same weights row by row."""
    x, y = digits()
    machine, info = svm.fit(x, y, np.ones(len(y), bool), 10, cost=cost, balanced=balanced)
    counts = np.bincount(y, minlength=10)
    weight = len(y) / (10 * counts[y]) if balanced else np.ones(len(y))
    for k in np.flatnonzero(counts):
        reference = LinearSVC(C=cost, tol=1e-8, max_iter=20_000, dual=False)
        reference.fit(x.astype(np.float64), y == k, sample_weight=weight)
        expected = loops(reference.coef_, reference.intercept_, x, np.where(y == k, 0, 1), weight, cost)[0]
        np.testing.assert_allclose(info.objective[k], expected, rtol=1e-3)
    assert np.isneginf(machine.bias[9]) and np.all(np.isfinite(machine.weights))
    assert info.num_steps < 1000 and info.gradient <= 1e-5


def test_objective_against_loops():
    x, y, weight = RNG.normal(size=(7, 3)), RNG.integers(0, 4, 7), RNG.random(7)
    weights, bias = RNG.normal(size=(4, 3)), RNG.normal(size=4)
    machine = svm.SVM(jnp.float32(weights), jnp.float32(bias))
    got = svm.objective(machine, jnp.float32(x), y, jnp.float32(weight), 0.7)
    np.testing.assert_allclose(got, loops(weights, bias, x, y, weight, 0.7), rtol=1e-5)


def test_padding_changes_nothing():
    x, y = digits(200)
    whole, _ = svm.fit(x, y, np.ones(200, bool), 10)
    padded = np.concatenate([x, np.full((40, 64), np.nan, np.float32)])
    got, _ = svm.fit(padded, np.pad(y, (0, 40)), np.arange(240) < 200, 10)
    np.testing.assert_allclose(got.weights, whole.weights, atol=2e-3)


def test_it_classifies_and_weights_help_the_rare():
    """On rows not seen, the rare class is found more often with weights than without."""
    x, y = load_digits(return_X_y=True)
    x = ((x - 5.0) / 6.0).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(y))
    rare = np.isin(y, (3, 8))
    train = np.concatenate([order[~rare[order]][:400], order[rare[order]][:8]])
    test = np.setdiff1d(order, train)
    recalls = []
    for balanced in (True, False):
        machine, _ = svm.fit(x[train], y[train], np.ones(len(train), bool), 10, cost=0.01, balanced=balanced)
        predicted = np.argmax(svm.decide(machine, x[test]), axis=1)
        assert (predicted == y[test])[~rare[test]].mean() > 0.9
        recalls.append((predicted == y[test])[rare[test]].mean())
    assert recalls[0] > recalls[1] + 0.05


def test_seeds_map():
    x, y = digits(60)
    masks = np.stack([np.arange(60) < 40, np.arange(60) < 60])
    fit = partial(svm.fit, x, y, num_classes=10)
    together, _ = jax.vmap(fit)(masks)
    for i, mask in enumerate(masks):
        alone, _ = fit(mask)
        np.testing.assert_allclose(together.weights[i], alone.weights, atol=2e-3)


class TestWeights:
    """Weights and thresholds by class."""

    @pytest.mark.parametrize(
        ("beta", "expected"),
        [
            (None, (0.55, 5.5)),
            (0.9, (0.9974, 1.0026)),
            (0.99, (0.5690, 1.4310)),
            (0.999, (0.2206, 1.7794)),
            (0.9999, (0.1856, 1.8144)),
        ],
    )
    def test_published_weights(self, beta, expected):
        weights = imbalance.class_weights(jnp.array([500] * 5 + [50] * 5), beta)
        np.testing.assert_allclose(weights, np.repeat(expected, 5), atol=6e-5)

    def test_a_class_without_labels_weighs_nothing(self):
        np.testing.assert_allclose(imbalance.class_weights(jnp.array([8, 2])), [0.625, 2.5])
        np.testing.assert_allclose(imbalance.class_weights(jnp.array([8, 0, 2])), [10 / 24, 0, 10 / 6], rtol=1e-6)
        assert imbalance.class_weights(jnp.array([8, 0, 2]), 0.9)[1] == 0

    def test_threshold(self):
        got = imbalance.prior_threshold(jnp.array([0.2, 0.2, 0.6]), jnp.array([100, 400, 500]))
        np.testing.assert_allclose(got, np.array([2.0, 0.5, 1.2]) / 3.7, rtol=1e-6)
        unseen = imbalance.prior_threshold(jnp.array([[0.9, 0.1], [0.3, 0.7]]), jnp.array([0, 5]))
        np.testing.assert_allclose(unseen, [[0, 1], [0, 1]])
        np.testing.assert_allclose(imbalance.prior_threshold(jnp.array([0.9, 0.1]), jnp.array([0, 0])), [0.9, 0.1])
