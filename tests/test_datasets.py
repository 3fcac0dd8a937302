import jax
import numpy as np
import pytest

from alfamous_jax import datasets

LETTER_COUNTS = [
    789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792,
    783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734,
]  # fmt: skip


@pytest.fixture(scope="module")
def letter():
    return datasets.load("letter", num_classes=26, test_rows=5000)


def write(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def good():
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    return {"x_train": x, "y_train": np.array([0, 1, 2, 0, 1, 2]), "x_test": x[:2], "y_test": np.array([1, 0])}


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
    for a, b in zip(split, cut, strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_directory(tmp_path, monkeypatch):
    write(tmp_path / "mine.npz", **good())
    monkeypatch.setenv("ALFAMOUS_DATA_DIR", str(tmp_path))
    assert datasets.load("mine", num_classes=3).num_classes == 3
    with pytest.raises(FileNotFoundError, match=r"'other' is not packaged and there is no file .*other\.npz"):
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
    "label above": ({"y_test": np.array([1, 3])}, r"\(test\): labels must lie in 0..2, y\[1\] is 3"),
    "label below": ({"y_train": np.array([0, 1, -1, 0, 1, 2])}, r"y\[2\] is -1"),
    "float labels": ({"y_test": np.array([1.0, 0.0])}, "y must be integers, got float64"),
    "short labels": ({"y_train": np.arange(3)}, r"got x \(6, 4\) and y \(3,\)"),
    "flat inputs": ({"x_train": np.arange(6.0)}, r"got x \(6,\) and y \(6,\)"),
    "strings": ({"x_test": np.array([["a"], ["b"]])}, "x must be numeric"),
    "widths differ": ({"x_test": np.zeros((2, 5))}, r"train rows have shape \(4,\), test rows \(5,\)"),
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
    whole = write(tmp_path / "whole.npz", x=np.zeros((4, 2)), y=np.zeros(4, int))
    with pytest.raises(ValueError, match="test_rows must be between 1 and 3 .* got 4"):
        datasets.load(whole, num_classes=3, test_rows=4)


def test_pools_of_all_seeds_share_a_shape(letter):
    size = datasets.pool_size(letter, 0.5, 0.1)
    counts = np.bincount(letter.y_train)
    sizes = []
    for seed in range(5):
        pool = datasets.imbalanced_pool(jax.random.key(seed), letter, 0.5, 0.1)
        rows = pool.rows[pool.available]
        assert pool.rows.shape == pool.available.shape == (size,)
        assert len(np.unique(rows)) == len(rows) and (np.diff(rows) > 0).all()
        kept = np.bincount(letter.y_train[rows], minlength=26)
        shrunk = kept < counts
        assert shrunk.sum() == 13
        np.testing.assert_array_equal(kept[shrunk], counts[shrunk] // 10)
        sizes.append(len(rows))
    assert len(set(sizes)) > 1 and max(sizes) <= size
    assert all(abs(n - 8274) < 150 for n in sizes), "Table 3 of AL-FaMoUS has 8274 rows"


def test_pool_follows_the_key(letter):
    draw = [datasets.imbalanced_pool(jax.random.key(seed), letter, 0.5, 0.1).rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


def test_nothing_shrinks_without_minority(letter):
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, 0.0, 0.1)
    np.testing.assert_array_equal(pool.rows, np.arange(15000))
    assert pool.available.all()


def test_initial_rows_are_distinct_and_real(letter):
    pool = datasets.imbalanced_pool(jax.random.key(3), letter, 0.5, 0.1)
    rows = datasets.initial_rows(jax.random.key(4), pool, 500)
    assert len(np.unique(rows)) == 500 and pool.available[rows].all()


def test_standardize_uses_the_training_rows():
    data = datasets.Dataset(np.array([[1, 5], [3, 5]]), np.zeros(2), np.array([[5, 6]]), np.zeros(1), 1)
    train, test = datasets.standardize(data)
    np.testing.assert_allclose(train, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(test, [[3, 1]])
    assert train.dtype == np.float32
