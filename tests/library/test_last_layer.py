"""The last layer for given rows: what it refuses; what it fits is compared in the tests of session and estimator."""

import jax
import numpy as np
import pytest

from alfamous_jax import last_layer

ROWS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def maps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_layer, "NUM_FEATURES", 16)
        yield last_layer.measure(ROWS, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[0], r"features must be rows of numbers, got shape \(3,\)"),
        (ROWS[:0], r"got shape \(0, 3\)"),
        (np.where(ROWS > 1, np.nan, ROWS), r"must be finite in float32, got \d"),
        (ROWS.astype(float) * 1e60, "must be finite in float32, got 18"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_pool_that_cannot_be_measured(rows, message):
    with pytest.raises(ValueError, match=message):
        last_layer.measure(rows, 0)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (ROWS[:, :2], [0] * 6, r"features must be finite rows of 3 numbers, got shape \(6, 2\)"),
        (ROWS * np.nan, [0] * 6, "features must be finite"),
        (ROWS, [0] * 5, "labels must be one for each of 6 rows, got 5"),
        (ROWS, [0, 1, 2, 3, 0, 1], "labels must be from 0 to 2, got 0 to 3"),
        (ROWS, [0, 1, -1, 2, 0, 1], "got -1 to 2"),
    ],
)
def test_labels_that_cannot_be_fitted(maps, rows, labels, message):
    with pytest.raises(ValueError, match=message):
        last_layer.fit(maps, jax.random.key(0), rows, np.array(labels), 3)


def test_a_row_with_a_nan_has_no_features(maps):
    phi = last_layer.phi_of(maps, last_layer.first(maps, 3).place, np.where(np.arange(6)[:, None] == 2, np.nan, ROWS))
    assert np.isnan(phi[2]).any() and np.isfinite(np.delete(phi, 2, axis=0)).all()
