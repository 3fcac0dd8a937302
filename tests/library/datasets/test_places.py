"""The places where a data set is looked for, and their order."""

import importlib.util
import sys

import numpy as np
import pytest
from data_files import good, write

from alfamous_jax import datasets


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
