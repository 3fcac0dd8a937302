"""The exact last layer against scikit-learn's logistic regression and a float64 objective."""

import os
import pathlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from alfamous_jax import datasets
from alfamous_jax.networks import _newton, map_head

pytestmark = pytest.mark.slow


def oracle(mean, rows, labels, ridge):
    """sum_i -log p_i[y_i] + ridge / 2 |W|^2 in float64, row by row."""
    losses = [-log_softmax(mean @ row)[label] for row, label in zip(rows, labels, strict=True)]
    return np.sum(losses) + ridge / 2 * np.sum(mean**2)


def best(rows, labels, num_classes, ridge, intercept=False):
    """The weights of scikit-learn; every class must have a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=1 / ridge, fit_intercept=intercept, tol=1e-9, max_iter=5000).fit(rows, labels)
    assert len(fitted.classes_) == num_classes
    return np.concatenate([fitted.coef_, fitted.intercept_[:, None]], axis=1) if intercept else fitted.coef_


def letter(num):
    data = datasets.load("letter", 26, 5000)
    return datasets.standardize(data)[0][:num].astype(np.float64), data.y_train[:num].astype(int), 26


def embeddings(name, num):
    """Standardised rows of a file, as many of each class as of the others so that none is missing."""
    path = pathlib.Path(os.environ.get("ALFAMOUS_DATA_DIR", "")) / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"there is no {name}.npz in the folder of ALFAMOUS_DATA_DIR")
    with np.load(path) as file:
        x, y = file["x_train"].astype(np.float64), file["y_train"].astype(int)
    num_classes = y.max() + 1
    chosen = np.concatenate([np.flatnonzero(y == k)[: num // num_classes] for k in range(num_classes)])
    deviation = x.std(axis=0)
    return ((x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0))[chosen], y[chosen], num_classes


def wide():
    """1,280 features of 150 classes: two rows of each around a centre of its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(150), 2)
    return rng.normal(size=(150, 1280))[labels] + rng.normal(size=(300, 1280)), labels, 150


POOLS = {
    "letter": lambda: letter(400),
    "banking77_minilm": lambda: embeddings("banking77_minilm", 308),
    "neu_cls_64_lite0": lambda: embeddings("neu_cls_64_lite0", 270),
    "wide": wide,
}


@pytest.mark.parametrize("name", POOLS)
def test_no_optimiser_finds_less(name):
    rows, labels, num_classes = POOLS[name]()
    rows = rows / np.sqrt(np.mean(np.sum(rows**2, axis=1)))  # of norm 1 on average
    arrays = jnp.asarray(rows, jnp.float32), jnp.asarray(labels), jnp.ones(len(rows), bool)
    rows = np.asarray(arrays[0], np.float64)
    for ridge in (1e-3, 0.03, 1.0, 10.0):
        mean, info = map_head.fit(*arrays, num_classes, ridge)
        found = oracle(np.asarray(mean, np.float64), rows, labels, ridge)
        known = oracle(best(rows, labels, num_classes, ridge), rows, labels, ridge)
        assert info.converged
        assert found <= known * (1 + 1e-4), ridge
        np.testing.assert_allclose(info.objective, found, rtol=1e-5)
        assert found - known <= info.gap + 1e-6 * found


@pytest.fixture(scope="module")
def pool():
    """300 rows of letters, and a hundred of padding that hold NaN."""
    rows, labels, num_classes = letter(300)
    rows = np.concatenate([rows / 4, np.full((100, 16), np.nan)]).astype(np.float32)
    labels = np.concatenate([labels, np.full(100, 3)])
    return rows, labels, np.arange(400) < 300, num_classes


def test_standardised_features_converge_too():
    rows, labels, num_classes = letter(400)
    for ridge in (1e-3, 1.0):
        mean, info = map_head.fit(jnp.asarray(rows, jnp.float32), labels, np.ones(400, bool), num_classes, ridge)
        known = oracle(best(rows, labels, num_classes, ridge), rows, labels, ridge)
        assert info.converged and oracle(np.asarray(mean, float), rows, labels, ridge) <= known * (1 + 1e-4)


def test_padding_counts_for_nothing(pool):
    rows, labels, mask, num_classes = pool
    padded, _ = map_head.fit(rows, labels, mask, num_classes, 0.1)
    alone, _ = map_head.fit(rows[:300], labels[:300], mask[:300], num_classes, 0.1)
    np.testing.assert_allclose(padded, alone, atol=2e-3)


def test_the_order_of_the_rows_does_not_matter(pool):
    rows, labels, mask, num_classes = pool
    order = np.random.default_rng(0).permutation(400)
    first, _ = map_head.fit(rows, labels, mask, num_classes, 0.1)
    second, _ = map_head.fit(rows[order], labels[order], mask[order], num_classes, 0.1)
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_an_intercept_is_that_of_scikit_learn_and_is_not_penalised(pool):
    rows, labels, mask, num_classes = pool
    mean, info = map_head.fit(rows, labels, mask, num_classes, 1.0, intercept=True, tolerance=3e-7)
    known = best(rows[:300].astype(float), labels[:300], num_classes, 1.0, intercept=True)
    assert info.converged
    np.testing.assert_allclose(mean[:, :16], known[:, :16], atol=5e-3)
    centred = mean[:, 16] - jnp.mean(mean[:, 16])  # the same number on all of them changes nothing
    np.testing.assert_allclose(centred, known[:, 16] - known[:, 16].mean(), atol=5e-3)


def test_a_class_without_labels_keeps_a_probability_unless_it_has_an_intercept():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]], np.float32)
    labels = np.array([0, 1, 0, 1])
    mean, _ = map_head.fit(rows, labels, np.ones(4, bool), 3, 0.1)
    probs = jax.nn.softmax(rows @ mean.T)
    assert np.all(probs[:, 2] > 0.01) and np.all(np.argmax(probs, axis=1) == labels)
    mean, info = map_head.fit(rows, labels, np.ones(4, bool), 3, 0.1, intercept=True)
    assert info.converged and mean[2, 2] == _newton.NEVER and np.all(np.isfinite(mean))


def test_two_rows_by_hand():
    """w and -w with w = 2 sigma(-2 w) at a ridge of 1: what the ridge pulls back is what the two rows push."""
    rows, labels = np.array([[1.0], [-1.0]], np.float32), np.array([0, 1])
    mean, info = map_head.fit(rows, labels, np.ones(2, bool), 2, 1.0, tolerance=0.0)
    w = float(mean[0, 0])
    assert w == pytest.approx(2 / (1 + np.exp(2 * w)), abs=1e-4) and float(mean[1, 0]) == pytest.approx(-w, abs=1e-6)
    assert info.objective == pytest.approx(2 * np.log1p(np.exp(-2 * w)) + w**2, rel=1e-5)


def test_ridges_and_lanes_go_through_vmap_in_one_compilation(pool):
    rows, labels, mask, num_classes = pool
    ridges = jnp.array([1.0, 0.1, 0.01])
    before = map_head._fit._cache_size()
    means, info = jax.vmap(lambda ridge: map_head.fit(rows, labels, mask, num_classes, ridge))(ridges)
    masks = np.stack([mask, mask & (np.arange(400) % 2 == 0)])
    lanes, _ = jax.vmap(lambda one: map_head.fit(rows, labels, one, num_classes, 0.1))(masks)
    assert info.converged.all()
    np.testing.assert_allclose(lanes[0], means[1], atol=2e-3)
    for count in (100, 200):
        map_head.fit(rows, labels, np.arange(400) < count, num_classes, 0.5)
    assert map_head._fit._cache_size() - before <= 3  # vmapped twice, and alone


def test_in_a_basis_each_fit_may_start_from_the_one_before(pool):
    rows, labels, mask, num_classes = pool
    base = map_head.basis(rows, mask)
    np.testing.assert_allclose(base.rows[:300], rows[:300] @ np.asarray(base.directions), atol=1e-5)
    np.testing.assert_allclose(base.directions.T @ base.directions, np.eye(16), atol=1e-5)
    fit_in = jax.jit(map_head.fit_in, static_argnums=3)
    weights = None
    for ridge in (3.0, 0.3, 0.01):
        weights, info = fit_in(base, labels, mask, num_classes, ridge, weights)
        alone, of_alone = map_head.fit(rows, labels, mask, num_classes, ridge)
        assert info.converged
        np.testing.assert_allclose(info.objective, of_alone.objective, rtol=3e-5)
        np.testing.assert_allclose(weights @ base.directions.T, alone, atol=0.02 * float(jnp.abs(alone).max()))
    _, again = fit_in(base, labels, mask, num_classes, 0.01, weights)
    assert again.num_steps == 0 and again.converged


def test_a_fit_that_ran_out_of_steps_says_so(pool):
    rows, labels, mask, num_classes = pool
    _, info = map_head.fit(rows, labels, mask, num_classes, 1e-3, max_steps=1)
    assert not info.converged and info.num_steps == 1 and info.gap > 1e-5 * info.objective


@pytest.mark.parametrize("ridge", [0.0, -1.0, np.nan])
def test_a_ridge_that_is_none_is_refused(pool, ridge):
    with pytest.raises(ValueError, match="ridge must be above 0, got"):
        map_head.fit(*pool, ridge)
