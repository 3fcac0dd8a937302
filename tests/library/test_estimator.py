"""The classifier for scikit-learn: its own checks, exactness, updates row by row."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from alfamous_jax import _head, laplace, updates
from alfamous_jax.estimator import LastLayerClassifier
from alfamous_jax.networks import map_head

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 40)
ROWS = 2 * np.eye(3)[TRUTH] + RNG.normal(size=(40, 3))
NAMES = np.array(["ant", "bee", "cow"])


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Few random features and a short buffer: a fit in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_head, "NUM_FEATURES", 16)
        yield


@pytest.fixture(scope="module")
def fitted():
    return LastLayerClassifier().fit(ROWS, NAMES[TRUTH])


@pytest.mark.slow
def test_the_fit_is_exact_under_the_map_and_ridge_that_it_chose(fitted):
    phi = _head.phi_of(fitted.maps_, fitted.place_, ROWS)
    ridges = {float(ridge): map_head.fit(phi, TRUTH, np.ones(40, bool), 3, ridge)[0] for ridge in _head.RIDGES}
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
    phi = _head.phi_of(fitted.maps_, fitted.place_, ROWS[:2] + 0.1)
    wanted, _ = updates.update_many(fitted.posterior_, phi, jnp.array([2, 0]))
    np.testing.assert_allclose(more.posterior_.mean, wanted.mean, atol=1e-5)
    np.testing.assert_allclose(more.posterior_.cov, wanted.cov, atol=1e-5)


def test_partial_fit_can_be_first(fitted):
    first = LastLayerClassifier().partial_fit(ROWS, NAMES[TRUTH], classes=NAMES)
    np.testing.assert_allclose(first.predict_proba(ROWS), fitted.predict_proba(ROWS), atol=1e-6)
    one = LastLayerClassifier().partial_fit(ROWS[:1], ["bee"], classes=NAMES)
    assert one.predict(ROWS[:1]).tolist() == ["bee"]


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
