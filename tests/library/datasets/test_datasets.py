"""Data sets read from files, split and checked."""

import warnings

import jax
import numpy as np
import pytest
from data_files import good, write

from alfamous_jax import datasets
from alfamous_jax.datasets.registry import SOURCES

pytestmark = pytest.mark.slow

LETTER_COUNTS = [
    789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792,
    783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734,
]  # fmt: skip


@pytest.fixture(scope="module")
def letter():
    return datasets.load("letter", num_classes=26, test_rows=5000)


def test_letter_is_whole(letter):
    assert letter.x_train.shape == (15000, 16) and letter.x_test.shape == (5000, 16)
    counts = np.bincount(letter.y_train, minlength=26) + np.bincount(letter.y_test, minlength=26)
    np.testing.assert_array_equal(counts, LETTER_COUNTS)
    assert letter.x_train.min() == 0 and letter.x_train.max() == 15
    # The first row of the source: T,2,8,3,5,1,8,13,0,6,6,10,8,0,8,0,8
    assert letter.y_train[0] == ord("T") - ord("A")
    np.testing.assert_array_equal(letter.x_train[0], [2, 8, 3, 5, 1, 8, 13, 0, 6, 6, 10, 8, 0, 8, 0, 8])


def test_files_with_and_without_a_split(tmp_path):
    split = datasets.load(write(tmp_path / "a.npz", **good()), num_classes=3)
    x, y = np.concatenate([split.x_train, split.x_test]), np.concatenate([split.y_train, split.y_test])
    cut = datasets.load(write(tmp_path / "b.npz", x=x, y=y), num_classes=3, test_rows=2)
    assert split.class_names == ()
    named = datasets.load(write(tmp_path / "c.npz", **good(), classes=["ant", "bee", "cat"]), num_classes=3)
    assert named.class_names == ("ant", "bee", "cat")
    named = datasets.load(write(tmp_path / "d.npz", **good(), class_names=["ant", "bee", "cat"]), num_classes=3)
    assert named.class_names == ("ant", "bee", "cat")
    assert (split.where, cut.where) == (str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))
    for a, b in zip(split, cut._replace(where=split.where), strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_directory(tmp_path, monkeypatch):
    write(tmp_path / "mine.npz", **good())
    monkeypatch.setenv("ALFAMOUS_DATA_DIR", str(tmp_path))
    assert datasets.load("mine", num_classes=3).num_classes == 3
    with pytest.raises(
        FileNotFoundError, match=r"'other' is not known \(there is letter, .*\), nor a file .*other\.npz"
    ):
        datasets.load("other", num_classes=3)
    monkeypatch.delenv("ALFAMOUS_DATA_DIR")
    with pytest.raises(FileNotFoundError, match="set ALFAMOUS_DATA_DIR to a folder that holds mine.npz"):
        datasets.load("mine", num_classes=3)


def nan_at_row_4():
    x = good()["x_train"].copy()
    x[4, 1] = np.nan
    return x


BAD = {
    "nan": ({"x_train": nan_at_row_4()}, r"\(train\): x has 1 NaN or infinite values, the first at \(4, 1\)"),
    "label above": (
        {"y_test": np.array([1, 3])},
        r"num_classes is 3, the labels have 4 .* y_test\[1\] is 3, not one of 0 to 2",
    ),
    "label below": (
        {"y_train": np.array([0, 1, -1, 0, 1, 2])},
        r"1 of 8 rows have no label \(the first: y_train\[2\] is -1",
    ),
    "half a label": ({"y_test": np.array([1.0, 0.5])}, r"y_test\[1\] is 0.5: labels that are floats must have whole"),
    "short labels": ({"y_train": np.arange(3)}, r"got x \(6, 4\) and y \(3,\)"),
    "flat inputs": ({"x_train": np.arange(6.0)}, r"got x \(6,\) and y \(6,\)"),
    "strings": ({"x_test": np.array([["a"], ["b"]])}, "x must be real numbers"),
    "widths differ": ({"x_test": np.zeros((2, 5))}, r"train rows have shape \(4,\), test rows \(5,\)"),
    "a single number": ({"x_train": np.array(1.0)}, "x_train must have rows, got a single float64"),
    "a single label": ({"y_test": np.array(1)}, "y_test must have rows, got a single int64"),
    "a single probability": ({"source_probs_train": np.array(1.0)}, r"must be numbers \[6, .* got float64 \(\)"),
    "bytes": ({"y_test": np.array([b"a", b"\xe6"])}, r"y_test must be text in UTF-8, got bytes such as b'.xe6'"),
    "rows of nothing": (
        {"x_train": np.zeros((6, 0)), "x_test": np.zeros((2, 0))},
        r"x \(6, 0\) has rows without a number",
    ),
    "no rows": ({"x_test": np.zeros((0, 4)), "y_test": np.zeros(0, int)}, "has no rows"),
}


@pytest.mark.parametrize("changes, message", BAD.values(), ids=BAD)
def test_bad_arrays_are_named(tmp_path, changes, message):
    path = write(tmp_path / "bad.npz", **{**good(), **changes})
    with pytest.raises(ValueError, match=message) as caught:
        datasets.load(path, num_classes=3)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*absent.npz"):
        datasets.load(str(tmp_path / "absent.npz"), num_classes=3)
    with pytest.raises(ValueError, match="folder.npz: not a readable .npz file of plain arrays .it is a folder"):
        (tmp_path / "folder.npz").mkdir()
        datasets.load(str(tmp_path / "folder.npz"), num_classes=3)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(ValueError, match="damaged.npz: not a readable .npz file"):
        datasets.load(str(damaged), num_classes=3)
    pickled = write(tmp_path / "pickled.npz", x=np.array([{}, None], dtype=object), y=np.arange(2))
    with pytest.raises(ValueError, match="not a readable .npz file of plain arrays"):
        datasets.load(pickled, num_classes=3, test_rows=1)
    named = write(tmp_path / "named.npz", inputs=np.zeros((2, 2)), y=np.arange(2))
    with pytest.raises(ValueError, match="needs arrays x, y or x_train, .* has inputs, y"):
        datasets.load(named, num_classes=3)
    for name, test in (("crop.npz", np.zeros((2, 45))), ("neu.npz", np.zeros((2, 64, 63)))):
        rows = np.zeros((3, *test.shape[1:-1], test.shape[-1] + 1))
        write(tmp_path / name, x_train=rows, y_train=np.arange(3), x_test=test, y_test=np.arange(2))
        with pytest.raises(ValueError, match=rf"{name}: x_train has rows of shape .*, x_test of \(.*(45,|63)\)"):
            datasets.load(name[:-4], 0, data_dir=tmp_path)
    whole = write(tmp_path / "whole.npz", x=np.zeros((4, 2)), y=np.array([0, 1, 2, 0]))
    with pytest.raises(ValueError, match="test_rows must be between 1 and 3 .* got 4"):
        datasets.load(whole, num_classes=3, test_rows=4)


# Rows after the split, and the pool of Table 3 of AL-FaMoUS: train, test, share of classes cut, pool in the paper.
PAPER_SIZES = {
    "mnist": (60000, 10000, 0.5, 32430),
    "fmnist": (60000, 10000, 0.5, 32981),
    "cifar10": (50000, 10000, 0.5, 27481),
    "crop": (12000, 12000, 0.5, 6668),
    "electric_devices": (8318, 8318, 0.0, 8318),
    "ecg5000": (2500, 2500, 0.0, 2500),
}


LARGE = [pytest.param(name, marks=pytest.mark.exhaustive) for name in ("mnist", "fmnist", "cifar10")]


@pytest.mark.parametrize("name", [*LARGE, *list(PAPER_SIZES)[3:]])
def test_real_data_has_the_sizes_of_the_paper(name):
    source = SOURCES[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", datasets.Incomplete)
            data = datasets.load(name, source.num_classes)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    except ValueError as error:
        if "needs arrays" in str(error):
            pytest.skip(f"pixels are coded, expand them first: {error}")
        raise
    train, test, share, pool = PAPER_SIZES[name]
    assert 0 <= data.num_missing <= 0.12 * source.num_rows
    assert abs(len(data.y_train) - train) <= data.num_missing / 2 + 1 and len(data.y_train) <= train + 1
    assert abs(len(data.y_test) - test) <= data.num_missing / 2 + 1
    assert data.x_train.shape[1:] == data.x_test.shape[1:] == source.shape
    assert set(data.y_train) == set(data.y_test) == set(range(source.num_classes))
    rows = datasets.imbalanced_pool(jax.random.key(0), data, datasets.Imbalance(share=share))
    tolerance = 0.03 * pool + data.num_missing  # classes differ in size, and which of them are cut is drawn
    assert abs(int(rows.available.sum()) - pool) <= tolerance
    x_train, _ = datasets.standardize(data)
    np.testing.assert_allclose([x_train.mean(dtype=np.float64), x_train.std(dtype=np.float64)], [0, 1], atol=1e-4)


def test_a_test_set_spread_over_the_rows(tmp_path, monkeypatch):
    """As many as are asked for, no two neighbours, and each class in its share where rows stand by class."""
    y = np.repeat(np.arange(9), [200, 1209, 858, 755, 1148, 797, 885, 773, 601])
    x = np.broadcast_to(np.arange(len(y), dtype=np.float32)[:, None, None], (len(y), 64, 64))
    write(tmp_path / "neu.npz", x=x, y=y)
    monkeypatch.setenv("ALFAMOUS_DATA_DIR", str(tmp_path))
    data = datasets.load("neu", num_classes=9)
    assert data.x_train.shape == (5778, 64, 64) and data.x_test.shape == (1448, 64, 64) and data.num_missing == 0
    tested = data.x_test[:, 0, 0]
    assert np.diff(tested).min() >= 4 and np.diff(tested).max() <= 5
    assert sorted([*tested, *data.x_train[:, 0, 0]]) == list(range(7226))
    np.testing.assert_array_equal(y[tested.astype(int)], data.y_test)
    np.testing.assert_allclose(np.bincount(data.y_test), 1448 / 7226 * np.bincount(y), atol=1)


def test_source_probabilities(tmp_path):
    arrays, probs = good(), np.random.default_rng(0).dirichlet(np.ones(5), 20)
    num = len(arrays["y_train"])
    found = datasets.load(write(tmp_path / "a.npz", **arrays, source_probs_train=probs[:num]), 3).source_probs
    np.testing.assert_array_equal(found, probs[:num].astype(np.float32))
    whole = {"x": arrays["x_train"], "y": arrays["y_train"], "source_probs": probs[:num]}
    np.testing.assert_array_equal(
        datasets.load(write(tmp_path / "b.npz", **whole), 3, test_rows=2).source_probs, found[:-2]
    )
    for bad, message in ((probs[:3], "must be numbers"), (2 * probs[:num], "rows of at least 0 that sum to 1")):
        with pytest.raises(ValueError, match=message):
            datasets.load(write(tmp_path / "c.npz", **arrays, source_probs_train=bad), 3)
