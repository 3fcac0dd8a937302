import importlib.util
import sys

import jax
import numpy as np
import pytest

from alfamous_jax import datasets
from alfamous_jax.datasets.registry import SOURCES

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
    assert split.class_names == ()
    named = datasets.load(write(tmp_path / "c.npz", **good(), classes=["ant", "bee", "cat"]), num_classes=3)
    assert named.class_names == ("ant", "bee", "cat")
    for a, b in zip(split, cut, strict=True):
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


# Rows after the split, and the pool of Table 3 of AL-FaMoUS: train, test, share of classes cut, pool in the paper.
PAPER_SIZES = {
    "mnist": (60000, 10000, 0.5, 32430),
    "fmnist": (60000, 10000, 0.5, 32981),
    "cifar10": (50000, 10000, 0.5, 27481),
    "crop": (12000, 12000, 0.5, 6668),
    "electric_devices": (8318, 8318, 0.0, 8318),
    "ecg5000": (2500, 2500, 0.0, 2500),
}


@pytest.mark.parametrize("name", PAPER_SIZES)
def test_real_data_has_the_sizes_of_the_paper(name):
    source = SOURCES[name]
    try:
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


def series(rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 140)).astype(np.float32), np.arange(rows) % 5


def write_ucr(folder, suffix=".tsv", test_rows=4):
    folder = folder / "ECG5000"
    folder.mkdir()
    for kind, rows in (("TRAIN", 6), ("TEST", test_rows)):
        x, y = series(rows, seed=rows)
        table = np.column_stack([y + 1, x])
        np.savetxt(folder / f"ECG5000_{kind}{suffix}", table, delimiter="\t" if suffix == ".tsv" else "  ")
    return folder


@pytest.mark.parametrize("suffix", [".tsv", ".txt"])
def test_ucr_files_are_pooled_and_halved(tmp_path, suffix):
    write_ucr(tmp_path, suffix)
    data = datasets.load("ecg5000", 5, data_dir=tmp_path)
    x, y = (np.concatenate(parts) for parts in zip(series(6, seed=6), series(4, seed=4), strict=True))
    np.testing.assert_allclose(data.x_train, x[::2], atol=1e-6)
    np.testing.assert_allclose(data.x_test, x[1::2], atol=1e-6)
    np.testing.assert_array_equal(data.y_train, y[::2])
    np.testing.assert_array_equal(data.y_test, y[1::2])
    assert data.scaling == "channel" and data.num_missing == 5000 - 10


def test_an_npz_file_comes_before_ucr_files(tmp_path):
    write_ucr(tmp_path)
    x, y = series(20)
    write(tmp_path / "ecg5000.npz", x=x, y=y)
    assert len(datasets.load("ecg5000", 5, data_dir=tmp_path).y_train) == 10


def test_broken_ucr_files_are_named(tmp_path):
    folder = write_ucr(tmp_path)
    (folder / "ECG5000_TEST.tsv").write_text("1\tabc\n")
    with pytest.raises(ValueError, match="ECG5000_TEST.tsv: not a table of numbers"):
        datasets.load("ecg5000", 5, data_dir=tmp_path)
    (folder / "ECG5000_TEST.tsv").unlink()
    with pytest.raises(FileNotFoundError, match="no file .*ECG5000_TEST.tsv"):
        datasets.load("ecg5000", 5, data_dir=tmp_path)


class FakeImages:
    """Stands in for tensorflow-datasets: rows as it gives them."""

    @staticmethod
    def data_source(name, split):
        assert name == "mnist"
        rows = {"train": 4, "test": 2}[split]
        return [{"image": np.full((28, 28, 1), i, np.uint8), "label": i} for i in range(rows)]


def test_tensorflow_datasets_come_last(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", FakeImages)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "tensorflow_datasets")
    data = datasets.load("mnist", 10, data_dir=tmp_path)
    assert data.x_train.shape == (4, 28, 28) and data.x_test.shape == (2, 28, 28)
    np.testing.assert_array_equal(data.y_train, [0, 1, 2, 3])
    np.testing.assert_array_equal(data.x_train[:, 0, 0], [0, 1, 2, 3])
    write(
        tmp_path / "mnist.npz",
        x_train=np.zeros((3, 28, 28)),
        y_train=np.arange(3),
        x_test=np.zeros((1, 28, 28)),
        y_test=[0],
    )
    assert len(datasets.load("mnist", 10, data_dir=tmp_path).y_train) == 3


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("ALFAMOUS_DATA_DIR", raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        datasets.load("fmnist", 10)
    for part in ("'fmnist' was not found", "fmnist.npz or fashion_mnist.npz", "not set", "alfamous-jax[data]"):
        assert part in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"crop.npz in the folder .*; Crop/Crop_TRAIN.tsv and _TEST.tsv"):
        datasets.load("crop", 24, data_dir=tmp_path)
    write(tmp_path / "mnist.npz", **good())
    with pytest.raises(ValueError, match=r"rows of mnist have shape \(28, 28\), got \(4,\)"):
        datasets.load("mnist", 10, data_dir=tmp_path)
    with pytest.raises(ValueError, match="num_classes: mnist has 10 classes, got 26"):
        datasets.load("mnist", 26, data_dir=tmp_path)


def test_pools_of_all_seeds_share_a_shape(letter):
    size = datasets.pool_size(letter, datasets.Imbalance())
    counts = np.bincount(letter.y_train)
    sizes = []
    for seed in range(5):
        pool = datasets.imbalanced_pool(jax.random.key(seed), letter, datasets.Imbalance())
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
    draw = [datasets.imbalanced_pool(jax.random.key(seed), letter, datasets.Imbalance()).rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


def test_nothing_shrinks_without_minority(letter):
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, datasets.Imbalance(share=0.0))
    np.testing.assert_array_equal(pool.rows, np.arange(15000))
    assert pool.available.all()


@pytest.mark.parametrize("ratio, size", [(1.0, 5000), (0.3, 3425), (0.1, 2975)], ids=["full", "0.3", "0.1"])
def test_pools_of_class_balanced_active_learning(ratio, size):
    """A tenth is set aside, as many of each class; of the rest the second half of the classes is cut (CBAL 5.1)."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 500)).astype(np.int32)
    data = datasets.Dataset(np.zeros((5000, 1)), labels, np.zeros((1, 1)), np.zeros(1, int), 10)
    how = datasets.Imbalance(ratio=ratio, minority="last", initial_per_class=50)
    pools = [datasets.imbalanced_pool(jax.random.key(seed), data, how) for seed in (0, 1)]
    for pool in pools:
        assert datasets.pool_size(data, how) == len(pool.rows) == pool.available.sum() == size
        assert len(set(pool.rows.tolist())) == size
        np.testing.assert_array_equal(np.bincount(labels[pool.rows]), [500] * 5 + [50 + int(450 * ratio)] * 5)
        first = datasets.initial_rows(jax.random.key(5), pool, 500)
        np.testing.assert_array_equal(np.bincount(labels[pool.rows[first]]), [50] * 10)
    assert ratio == 1.0 or (pools[0].rows != pools[1].rows).any()
    assert (pools[0].reserved != pools[1].reserved).any()
    with pytest.raises(ValueError, match="class 0 has 500 rows, 501 of each are labelled first"):
        datasets.imbalanced_pool(jax.random.key(0), data, how._replace(initial_per_class=501))


@pytest.mark.parametrize(
    ("per_class", "named", "dominant", "ratio", "size"),
    [
        ([5000] * 10, [0], True, 0.1, 9_500),
        ([5000] * 10, [4], False, 0.1, 45_500),
        ([500] * 100, range(44, 55), True, 0.6, 32_200),
    ],
    ids=["CIFAR-10+[1]", "CIFAR-10-[5]", "CIFAR-100+[45:55]"],
)
def test_dominant_and_rare_pools(per_class, named, dominant, ratio, size):
    """The sizes of VaB-AL's splits; every seed cuts the same classes."""
    labels = np.repeat(np.arange(len(per_class)), per_class)
    data = datasets.Dataset(np.zeros((len(labels), 1)), labels, *[None] * 2, len(per_class))
    minority = tuple(k for k in range(len(per_class)) if (k in named) != dominant)
    how = datasets.Imbalance(ratio=ratio, minority=minority)
    assert datasets.pool_size(data, how) == size
    for seed in range(2):
        pool = datasets.imbalanced_pool(jax.random.key(seed), data, how)
        assert pool.available.all() and len(pool.rows) == size
        counts = np.bincount(labels[pool.rows])
        assert all(counts[k] == per_class[k] * (ratio if k in minority else 1) for k in range(len(counts)))


def test_nothing_is_cut_where_no_class_is_named(letter):
    assert datasets.pool_size(letter, datasets.Imbalance(minority=())) == 15_000


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


def test_exponential_pools(letter):
    how = datasets.Imbalance(profile="exponential", ratio=0.05)
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, how)
    assert pool.available.all() and len(pool.rows) == datasets.pool_size(letter, how)
    counts, kept = np.bincount(letter.y_train), np.bincount(letter.y_train[pool.rows], minlength=26)
    np.testing.assert_array_equal(kept, np.minimum(counts, np.floor(counts.max() * 0.05 ** (np.arange(26) / 25))))


@pytest.mark.parametrize("minority", ["drawn", "last"])
def test_transferred_pools_have_the_ratio_of_the_source(letter, minority):
    """26 bins of 1,000 sizes lose little of the ratio; the cut at what a class has, nothing at this mean."""
    how = datasets.Imbalance(profile="transfer", mean=100.0, minority=minority)
    sizes = []
    for seed in range(3):
        pool = datasets.imbalanced_pool(jax.random.key(seed), letter, how)
        assert len(pool.rows) == datasets.pool_size(letter, how)
        sizes.append(np.bincount(letter.y_train[pool.rows[pool.available]], minlength=26))
        assert abs(sizes[-1].mean() - 100) < 1 and 0.72 < sizes[-1].std() / sizes[-1].mean() < 0.813
    assert (sizes[0] != sizes[1]).any() == (minority == "drawn")
    if minority == "last":
        assert (np.diff(sizes[0]) <= 0).all()
    cut = datasets.imbalanced_pool(jax.random.key(0), letter, how._replace(mean=2000.0))
    counts = np.bincount(letter.y_train[cut.rows[cut.available]], minlength=26)
    assert (counts <= np.bincount(letter.y_train)).all() and len(cut.rows) >= cut.available.sum()


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


def test_initial_rows_are_distinct_and_real(letter):
    pool = datasets.imbalanced_pool(jax.random.key(3), letter, datasets.Imbalance())
    rows = datasets.initial_rows(jax.random.key(4), pool, 500)
    assert len(np.unique(rows)) == 500 and pool.available[rows].all()


def test_standardize_uses_the_training_rows():
    data = datasets.Dataset(np.array([[1, 5], [3, 5]]), np.zeros(2), np.array([[5, 6]]), np.zeros(1), 1)
    train, test = datasets.standardize(data)
    np.testing.assert_allclose(train, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(test, [[3, 1]])
    assert train.dtype == np.float32


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 4, 2)], ids=["series", "grey", "colour"])
def test_standardize_by_channel(shape):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, size=(2100, *shape)).astype(np.uint8)
    data = datasets.Dataset(x, np.zeros(2100), x[:3], np.zeros(3), 1, scaling="channel")
    train, test = datasets.standardize(data)
    channels = np.float64(x).reshape(-1, shape[-1] if len(shape) == 3 else 1)
    expected = (np.float64(x) - channels.mean(axis=0)) / channels.std(axis=0)
    np.testing.assert_allclose(train, expected, atol=1e-5)
    np.testing.assert_allclose(test, expected[:3], atol=1e-5)
    mean, deviation = datasets.moments(data)
    np.testing.assert_allclose(mean, channels.mean(axis=0).reshape(mean.shape))
    np.testing.assert_allclose(deviation, channels.std(axis=0).reshape(mean.shape))
