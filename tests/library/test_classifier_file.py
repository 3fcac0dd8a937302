"""A classifier on disk: the same to the bit, and one line that names a file that is none."""

import copy
import json

import jax
import numpy as np
import pytest
from narrow_heads import narrow  # noqa: F401  a fixture
from sklearn.exceptions import NotFittedError
from three_classes import NAMES, ROWS, TRUTH

from alfamous_jax import _classifier_file
from alfamous_jax._classifier_file import Parts
from alfamous_jax.estimator import LastLayerClassifier

pytestmark = pytest.mark.fits


@pytest.fixture(scope="module")
def fitted():
    """By updates from the prior, so that no fit is compiled."""
    return LastLayerClassifier(5).partial_fit(ROWS[:3], ["bee"] * 3, NAMES).partial_fit(ROWS, NAMES[TRUTH])


@pytest.fixture
def parts(fitted):
    return Parts(5, fitted.classes_, None, fitted.place_, fitted.posterior_, fitted.maps_)


@pytest.fixture
def saved(fitted, tmp_path):
    fitted.save(tmp_path / "one.npz")
    return tmp_path / "one.npz"


def test_every_bit_comes_back(fitted, saved):
    found = LastLayerClassifier.load(str(saved))
    assert found.get_params() == fitted.get_params() and found.n_features_in_ == 3
    np.testing.assert_array_equal(found.classes_, fitted.classes_, strict=True)
    assert found.predict_proba(ROWS).tobytes() == fitted.predict_proba(ROWS).tobytes()
    known = copy.copy(fitted)
    for one in (found, known):
        one.partial_fit(ROWS[:2], NAMES[:2])
    assert [x.tobytes() for x in found.posterior_] == [x.tobytes() for x in known.posterior_]


@pytest.mark.parametrize(
    "classes",
    [
        np.array([3, 5, 9], np.int16),
        np.array([True, False]),
        np.array(["é", "\ud800", ""], object),
        np.array([1, 2.5], object),
        np.array(["2026-11-30", "2026-12-01"], "M8[D]"),
    ],
)
def test_labels_keep_their_type(parts, classes, tmp_path):
    mean = parts.posterior.mean[: len(classes)]
    written = parts._replace(classes=classes, posterior=parts.posterior._replace(mean=mean), names=["a", "b", "é"])
    _classifier_file.write(tmp_path / "one.npz", written)
    found = _classifier_file.read(tmp_path / "one.npz")
    np.testing.assert_array_equal(found.classes, classes, strict=True)
    assert [type(x) for x in found.classes.tolist()] == [type(x) for x in classes.tolist()]
    assert found.names == ["a", "b", "é"] and jax.tree.structure(found.maps) == jax.tree.structure(written.maps)


def test_labels_that_no_plain_file_holds_are_refused(parts, tmp_path):
    with pytest.raises(ValueError, match="classes_ must be text or numbers to be saved, got object"):
        _classifier_file.write(tmp_path / "one.npz", parts._replace(classes=np.array([(1, 2), "a", "b"], object)))
    with pytest.raises(NotFittedError):
        LastLayerClassifier().save(tmp_path / "one.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_the_file_as_it_was(fitted, saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(np, "savez", lambda file, **arrays: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fitted.save(saved)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        fitted.save(saved.parent / "none" / "one.npz")


def changed(saved, about=(), **arrays):
    """The file with other contents; None takes an array out."""
    with np.load(saved) as file:
        held = dict(file) | arrays
    said = json.loads(held["about"].tobytes()) | dict(about)
    held["about"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(saved, **{name: array for name, array in held.items() if array is not None})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"about": {"version": 2}}, "a classifier of version 2, expected 1"),
        ({"about": {"kind": "Session"}}, "not a saved classifier, it holds classes, posterior.mean"),
        ({"about": {"map": "cubic"}}, "its map is 'cubic', expected one of common, unit"),
        ({"about": {"names": ["a"]}}, "names must be 3, one for each column, got 1"),
        ({"posterior.cov": None}, "not a saved classifier, it lacks posterior.cov"),
        ({"posterior.mean": np.zeros((3, 4))}, r"posterior.mean must be float32 \(3, 16\), got float64 \(3, 4\)"),
        ({"draws.kernel": np.zeros((), np.float32)}, r"posterior.mean must be float32 \(3, 1\)"),
        ({"classes": NAMES[:2]}, r"posterior.mean must be float32 \(2, 16\), got float32 \(3, 16\)"),
        ({"classes": np.array(["ant", 1, None], object)}, "Python objects, which are never unpickled"),
    ],
)
def test_a_file_that_is_none_is_named(saved, how, said):
    changed(saved, **how)
    with pytest.raises(ValueError, match=f"one.npz: .*{said}"):
        LastLayerClassifier.load(saved)


def test_a_damaged_file_is_named(saved):
    whole = saved.read_bytes()
    for content in (whole[:-40], whole[:700] + b"\x00\xff" * 8 + whole[716:], b"", b"PK\x03\x04"):
        saved.write_bytes(content)
        with pytest.raises(ValueError, match="one.npz: not a (readable .npz file|saved classifier)"):
            LastLayerClassifier.load(saved)
    with pytest.raises(FileNotFoundError, match="no file .*two.npz"):
        LastLayerClassifier.load(saved.with_name("two.npz"))
    np.savez(saved, x=ROWS)
    with pytest.raises(ValueError, match="not a saved classifier, it holds x"):
        LastLayerClassifier.load(saved)
