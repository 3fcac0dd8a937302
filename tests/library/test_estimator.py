"""The classifier for scikit-learn: its own checks, exactness, updates row by row."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from narrow_heads import narrow  # noqa: F401  a fixture
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from three_classes import NAMES, ROWS, TRUTH

from alfamous_jax import laplace, last_layer, updates
from alfamous_jax.estimator import LastLayerClassifier
from alfamous_jax.networks import map_head

pytestmark = pytest.mark.fits


@pytest.fixture(scope="module")
def fitted():
    return LastLayerClassifier().fit(ROWS, NAMES[TRUTH])


@pytest.mark.slow
def test_the_fit_is_exact_under_the_map_and_ridge_that_it_chose(fitted):
    phi = last_layer.phi_of(fitted.maps_, fitted.place_, ROWS)
    ridges = {float(ridge): map_head.fit(phi, TRUTH, np.ones(40, bool), 3, ridge)[0] for ridge in last_layer.RIDGES}
    gaps = {ridge: float(jnp.max(jnp.abs(mean - fitted.posterior_.mean))) for ridge, mean in ridges.items()}
    ridge, gap = min(gaps.items(), key=lambda pair: pair[1])
    assert gap < 0.05 * float(jnp.max(jnp.abs(fitted.posterior_.mean)))
    np.testing.assert_allclose(
        fitted.posterior_.cov,
        laplace.fit(fitted.posterior_.mean, phi, np.ones(40, bool), ridge).cov,
        rtol=1e-3,
        atol=1e-4,
    )
    assert fitted.classes_.tolist() == NAMES.tolist() and fitted.score(ROWS, NAMES[TRUTH]) > 0.8


def test_partial_fit_is_an_update_for_each_row(fitted):
    more = clone(fitted).fit(ROWS, NAMES[TRUTH]).partial_fit(ROWS[:2] + 0.1, NAMES[[2, 0]])
    phi = last_layer.phi_of(fitted.maps_, fitted.place_, ROWS[:2] + 0.1)
    wanted, _ = updates.update_many(fitted.posterior_, phi, jnp.array([2, 0]), implicit=True)
    np.testing.assert_allclose(more.posterior_.mean, wanted.mean, atol=1e-5)
    np.testing.assert_allclose(more.posterior_.cov, wanted.cov, atol=1e-5)


def test_partial_fit_can_be_first(fitted):
    first = LastLayerClassifier().partial_fit(ROWS, NAMES[TRUTH], classes=NAMES)
    np.testing.assert_allclose(first.predict_proba(ROWS), fitted.predict_proba(ROWS), atol=1e-6)
    one = LastLayerClassifier().partial_fit(ROWS[:1], ["bee"], classes=NAMES)
    assert one.predict(ROWS[:1]).tolist() == ["bee"]


def test_a_row_is_predicted_the_same_whatever_stands_beside_it(fitted):
    alone = np.concatenate([fitted.predict_proba(row[None]) for row in ROWS])
    assert alone.tobytes() == fitted.predict_proba(ROWS).tobytes()


def test_it_stands_in_a_pipeline():
    pipe = make_pipeline(StandardScaler(), LastLayerClassifier(random_state=3))
    assert pipe.fit(ROWS, TRUTH).score(ROWS, TRUTH) > 0.8


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: LastLayerClassifier().partial_fit(ROWS, TRUTH), "classes must be given to the first call"),
        (lambda: LastLayerClassifier().fit(ROWS * 1e35, TRUTH), "X must be below 3e.34"),
    ],
)
def test_what_is_wrong_is_one_line(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_labels_and_classes_have_to_fit(fitted):
    one = clone(fitted).fit(ROWS, NAMES[TRUTH])
    with pytest.raises(ValueError, match=r"y\[1\] is .*'dog'.*, none of the classes \['ant', 'bee', 'cow'\]"):
        one.partial_fit(ROWS[:2], ["ant", "dog"])
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        one.partial_fit(ROWS[:2], ["ant", "bee"], classes=["ant", "bee"])


WEIGHTS = np.random.default_rng(1).uniform(0.1, 5, 40)


@pytest.fixture(scope="module")
def weighted():
    return LastLayerClassifier().fit(ROWS, NAMES[TRUTH], sample_weight=WEIGHTS)


def test_a_weighted_fit_is_that_of_scikit_learn(weighted):
    """Where the gradient is 0, ridge W = sum_i m_i (y_i - p_i) phi_i says which ridge was chosen."""
    phi = np.asarray(last_layer.phi_of(weighted.maps_, weighted.place_, ROWS), float)
    mean, targets = np.asarray(weighted.posterior_.mean, float), np.eye(3)[TRUTH]

    def objective(mean):
        return -np.sum(WEIGHTS * log_softmax(phi @ mean.T, axis=1)[targets > 0]) + ridge / 2 * np.sum(mean**2)

    pull = (WEIGHTS[:, None] * (targets - softmax(phi @ mean.T, axis=1))).T @ phi
    ridge = min(last_layer.RIDGES, key=lambda one: abs(np.log(one * np.sum(mean**2) / np.sum(pull * mean))))
    np.testing.assert_allclose(ridge * np.sum(mean**2), np.sum(pull * mean), rtol=0.05)
    known = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-9, max_iter=5000)
    assert objective(mean) <= objective(known.fit(phi, TRUTH, sample_weight=WEIGHTS).coef_) * (1 + 1e-4)
    dense = laplace.fit(weighted.posterior_.mean, jnp.asarray(phi, jnp.float32), WEIGHTS, ridge)
    np.testing.assert_allclose(weighted.posterior_.cov, dense.cov, rtol=1e-3, atol=1e-4)


def test_a_row_without_weight_is_not_there(weighted):
    order = np.random.default_rng(0).permutation(43)
    rows, labels = np.concatenate([ROWS, 50 + ROWS[:3]]), NAMES[[*TRUTH, 0, 1, 2]]
    sized = np.array([*WEIGHTS, 0, 0, 0])
    plain = LastLayerClassifier().fit(rows, labels, sample_weight=sized.tolist())
    np.testing.assert_array_equal(plain.predict_proba(ROWS), weighted.predict_proba(ROWS))
    mixed = LastLayerClassifier().fit(rows[order], labels[order], sample_weight=sized[order])
    assert mixed.place_ == plain.place_
    np.testing.assert_allclose(mixed.predict_proba(ROWS), plain.predict_proba(ROWS), atol=5e-3)


def test_weights_of_one_change_nothing(fitted):
    ones = LastLayerClassifier().fit(ROWS, NAMES[TRUTH], sample_weight=np.ones(40, int))
    np.testing.assert_allclose(ones.predict_proba(ROWS), fitted.predict_proba(ROWS), atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.ones(39), r"one number for each of the 40 rows, got shape \(39,\)"),
        (np.where(np.arange(40) == 7, -1.0, 1.0), r"from 0 to 3e.34, got sample_weight\[7\] = -1"),
        (np.where(np.arange(40) == 8, np.nan, 1.0), r"sample_weight\[8\] = nan"),
        (np.zeros(40), "above 0 for some row"),
        (TRUTH == 1, "leaves one class"),
    ],
)
def test_weights_that_are_none_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        LastLayerClassifier().fit(ROWS, TRUTH, sample_weight=weights)
    with pytest.raises(ValueError, match="partial_fit takes no sample_weight"):
        LastLayerClassifier().partial_fit(ROWS, TRUTH, classes=[0, 1, 2], sample_weight=weights)


CHECKS = (
    "cloneable",
    "unfitted",
    "nan_inf",
    "n_features_in_after_fitting",
    "dict_unchanged",
    "do_not_raise_errors_in_init",
)


@pytest.mark.slow
def test_checks_of_scikit_learn_pass():
    """Those that compile little; docs/label.md has the command for all."""
    from sklearn.utils.estimator_checks import estimator_checks_generator

    done = []
    for estimator, check in estimator_checks_generator(LastLayerClassifier()):
        name = check.func.__name__
        if any(part in name for part in CHECKS):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(estimator)
            done.append(name)
    assert len(done) >= len(CHECKS)
