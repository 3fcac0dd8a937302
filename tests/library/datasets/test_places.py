"""The places where a data set is looked for, and their order."""

import importlib.util
import os
import warnings

import numpy as np
import pytest
from data_files import good, write

from alfamous_jax import datasets
from alfamous_jax.datasets import finite, ucr
from alfamous_jax.datasets.registry import SOURCES

pytestmark = pytest.mark.filterwarnings("ignore::alfamous_jax.datasets.Incomplete")  # files of a few rows


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


@pytest.mark.parametrize(("rows", "warned"), [(5000, 0), (4999, 1), (5002, 1)])
def test_a_copy_is_incomplete_by_its_number_of_rows_alone(tmp_path, rows, warned):
    x, y = series(rows)
    path = write(tmp_path / "ecg5000.npz", x=x, y=y)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        data = datasets.load("ecg5000", 5, data_dir=tmp_path)
    assert [warning.category for warning in found] == [datasets.Incomplete] * warned and data.num_missing == 5000 - rows
    if warned:
        assert str(found[0].message).startswith(f"{path}: This copy of ecg5000 has {rows:,} rows, not the 5,000 that")
        assert data.notes == (str(found[0].message).removeprefix(f"{path}: "),), "a run prints the notes first"
        assert found[0].filename == __file__


def test_no_name_of_the_registry_is_one_of_a_part():
    for name, source in SOURCES.items():
        assert all(stem == name or stem == source.tfds for stem in source.files)


def test_an_npz_file_comes_before_ucr_files(tmp_path):
    write_ucr(tmp_path)
    x, y = series(20)
    write(tmp_path / "ecg5000.npz", x=x, y=y)
    assert len(datasets.load("ecg5000", 5, data_dir=tmp_path).y_train) == 10


def test_a_label_that_the_test_lacks_is_said(tmp_path):
    write_ucr(tmp_path)
    assert datasets.load("ecg5000", 5, data_dir=tmp_path).notes[0] == "Labels without a row in the test file: 5."


class TestUcr:
    """Both files as text; what is wrong with one is a line that names it."""

    def read(self, tmp_path, train, test="1\t0.5\n2\t0.5\n"):
        (tmp_path / "A_TRAIN.tsv").write_text(train)
        (tmp_path / "A_TEST.tsv").write_text(test)
        return ucr.read(tmp_path, "A")

    def test_labels_are_no_floats(self, tmp_path):
        """16,777,217 is 16,777,216 in float32, and 2**53 + 1 is 2**53 in float64."""
        train = "16777216\t1\n16777217\t2\n9007199254740993\t3\n9007199254740992\t4\n"
        found = self.read(tmp_path, train, "16777217\t5\n")
        assert found.arrays["y_train"].tolist() == [0, 1, 3, 2] and found.arrays["y_test"].tolist() == [1]

    def test_whole_floats_are_labels(self, tmp_path):
        found = self.read(tmp_path, " 2.0000000e+00  1.5\r\n-1.0  2.5\r\n\r\n", "2 3\n")
        assert found.arrays["y_train"].tolist() == [1, 0] and found.arrays["x_train"].tolist() == [[1.5], [2.5]]
        assert found.notes == ("Labels without a row in the test file: -1.",)

    @pytest.mark.parametrize(
        ("train", "message"),
        [
            ("1\tabc\n", "A_TRAIN.tsv: not a table of numbers .could not convert string 'abc'"),
            ("# a remark\n1\t2\n", "A_TRAIN.tsv: not a table of numbers .could not convert string '#'"),
            ("1\t2\n#2\t2\n", "not a table of numbers .could not convert string '#2'"),
            ("1\t0.25\n2\t0.2", "its last line has no end: if it is not cut off, end it with a new line"),
            ("1\t2\t3\n2\t2\n", "the number of columns changed from 3 to 2"),
            ("1.5\t2\n", r"the label of row 0 .from 0. is 1.5, no whole number"),
            ("nan\t2\n", "the label of row 0 .from 0. is nan, no whole number"),
            (f"1\t1\n{10**20}\t2\n", "the label of row 1 .from 0. is 1000.*, beyond 64 bits"),
            ("", "it has no line of a label and a series"),
            ("1\n2\n", "it has no line of a label and a series"),
            ("0\t1\n1\t2\n", "the labels of the test 2 have no training row, which has 0, 1; number the classes"),
            ("1\t\udcff\n", "A_TRAIN.tsv: not a table of numbers"),
        ],
    )
    def test_what_is_refused(self, tmp_path, train, message):
        self.read(tmp_path, "1\t2\n2\t2\n")
        (tmp_path / "A_TRAIN.tsv").write_bytes(train.encode("utf-8", "surrogateescape"))
        with pytest.raises(ValueError, match=message) as caught:
            ucr.read(tmp_path, "A")
        assert "\n" not in str(caught.value)

    def test_a_file_that_is_missing_or_no_file(self, tmp_path):
        (tmp_path / "A_TRAIN.tsv").write_text("1\t2\n")
        with pytest.raises(FileNotFoundError, match="no file .*A_TEST.tsv"):
            ucr.read(tmp_path, "A")
        os.mkfifo(tmp_path / "A_TEST.tsv")
        with pytest.raises(ValueError, match="A_TEST.tsv: not a table of numbers .it is a pipe"):
            ucr.read(tmp_path, "A")


def save_folder(path, **arrays):
    path.mkdir()
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def test_a_folder_with_and_without_a_slash(tmp_path, monkeypatch):
    save_folder(tmp_path / "pool", **good())
    monkeypatch.chdir(tmp_path)
    for name in ("pool", "pool/", f"{tmp_path}/pool", f"{tmp_path}/pool/"):
        assert datasets.load(name, 3, data_dir=tmp_path).x_train.shape == (6, 4)
    write(tmp_path / "pool.npz", **good())
    with pytest.raises(ValueError, match=r"dataset: 'pool' is a folder here and .*pool.npz as well; write pool/ or"):
        datasets.load("pool", 3, data_dir=tmp_path)
    assert len(datasets.load("pool/", 3, data_dir=tmp_path).y_train) == 6
    (tmp_path / "pool" / "y_test.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*y_test.npy; a folder holds x_train.npy, y_train.npy, x_"):
        datasets.load(f"{tmp_path}/pool", 3, data_dir=tmp_path)


def test_the_first_bad_number_of_a_folder(tmp_path, monkeypatch):
    """It is looked for in parts, where somebody asks."""
    x = np.zeros((50, 4))
    x[33, 2] = np.nan
    save_folder(tmp_path / "pool", **good() | {"x_train": x, "y_train": np.arange(50) % 3})
    rows = datasets.load(f"{tmp_path}/pool", 3).x_train
    for chunk in (1 << 24, 40, 1):
        monkeypatch.setattr(finite, "CHUNK", chunk)
        with pytest.raises(
            ValueError, match=r"^here: x has.* 1 NaN .* the first at \(33, 2\) \(row 33, column 2, from 0"
        ):
            finite.check("here", rows)
        with pytest.raises(ValueError, match=r"^here: x\[33, 2\] is -1e\+39 \(row 33, column 2\), beyond float32"):
            finite.check("here", np.where(np.isnan(rows), -1e39, rows))
        finite.check("here", np.nan_to_num(rows))


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
