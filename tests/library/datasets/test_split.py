"""A test set drawn out of all rows: a fifth of each class, the same for the same seed."""

import hypothesis
import hypothesis.strategies as some
import numpy as np
import pytest
from data_files import write

from alfamous_jax import datasets
from alfamous_jax.datasets import split


def test_a_fifth_of_each_class():
    labels = np.repeat([0, 1, 2, 3], [100, 12, 2, 1])
    tested, notes = split.stratified(labels, 0, ("a", "b", "c", "d"))
    assert np.bincount(labels[tested], minlength=4).tolist() == [20, 2, 1, 0]
    assert notes == (
        "The file has no test rows: 20% of each class, 23 of 115 rows, were drawn for the test (split_seed 0).",
        "Classes with one row stay in training and are not tested: d.",
    )


@hypothesis.given(some.lists(some.integers(0, 5), min_size=2, max_size=80), some.integers(0, 2**32))
@hypothesis.settings(deadline=None, max_examples=60)
def test_every_class_keeps_a_row_and_gives_one_where_it_can(values, seed):
    labels = np.array(values)
    hypothesis.assume((np.bincount(labels) > 1).any())
    tested, _ = split.stratified(labels, seed)
    counts, given = np.bincount(labels, minlength=6), np.bincount(labels[tested], minlength=6)
    assert (
        (given[counts > 1] >= 1).all()
        and (given[counts == 1] == 0).all()
        and (given[counts > 0] < counts[counts > 0]).all()
    )
    assert (np.abs(given - 0.2 * counts)[counts > 2] <= 1).all()
    np.testing.assert_array_equal(tested, split.stratified(labels, seed)[0])


def test_rows_sorted_by_class_are_split_all_the_same(tmp_path):
    y = np.repeat([0, 1, 2], [50, 30, 20])
    path = write(tmp_path / "sorted.npz", x=np.arange(200.0).reshape(100, 2), y=y)
    data, other = datasets.load(path, 3), datasets.load(path, 3, split_seed=1)
    assert np.bincount(data.y_test).tolist() == [10, 6, 4] and np.bincount(data.y_train).tolist() == [40, 24, 16]
    assert (data.x_test != other.x_test).any() and (np.diff(data.x_train[:, 0]) > 0).all()
    rows = (np.concatenate([data.x_train, data.x_test])[:, 0] / 2).astype(int)
    assert sorted(rows) == list(range(100))
    np.testing.assert_array_equal(y[rows], np.concatenate([data.y_train, data.y_test]))


def test_test_rows_are_the_last_ones(tmp_path):
    path = write(tmp_path / "a.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10) % 2)
    data = datasets.load(path, 2, test_rows=3)
    np.testing.assert_array_equal(data.x_test[:, 0], [14, 16, 18])
    assert data.notes == ()


def test_source_probabilities_follow_their_rows(tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 40).astype(np.float32)
    path = write(tmp_path / "a.npz", x=np.arange(40.0)[:, None], y=np.arange(40) % 4, source_probs=probs)
    data = datasets.load(path, 4)
    np.testing.assert_array_equal(data.source_probs, probs[data.x_train[:, 0].astype(int)])


def test_a_file_of_single_rows_cannot_be_split(tmp_path):
    path = write(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.arange(3))
    with pytest.raises(ValueError, match=r"a.npz: no class has two rows"):
        datasets.load(path, 3)


BEYOND = {
    "train": ({"x_train": np.where(np.arange(24).reshape(6, 4) == 5, 1e300, 0.5)}, r"\(train\): x\[1, 1\] is 1e\+300"),
    "test": ({"x_test": np.where(np.arange(8).reshape(2, 4) == 6, -1e39, 0.5)}, r"\(test\): x\[1, 2\] is -1e\+39"),
    "complex": ({"x_train": np.zeros((6, 4)) + 5j}, "x must be real numbers, got complex128"),
    "times": ({"x_train": np.zeros((6, 4), "m8[s]")}, "x must be real numbers, got timedelta64"),
    "dates": ({"x_train": np.zeros((6, 4), "M8[D]")}, "x must be real numbers, got datetime64"),
}


@pytest.mark.parametrize("changes, message", BEYOND.values(), ids=BEYOND)
def test_features_that_float32_cannot_hold(tmp_path, changes, message):
    arrays = {
        "x_train": np.ones((6, 4)),
        "y_train": np.arange(6) % 3,
        "x_test": np.ones((2, 4)),
        "y_test": np.arange(2),
    }
    with pytest.raises(ValueError, match=message):
        datasets.load(write(tmp_path / "a.npz", **arrays | changes), 3)
