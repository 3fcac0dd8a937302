"""CSV, Parquet and saved data sets as arrays; the reader without pandas reads the same."""

import importlib.util
import json
import os
import sys

import numpy as np
import pytest

from alfamous_jax import datasets
from alfamous_jax.datasets import columns, regular, tables

FIND = importlib.util.find_spec
READERS = ["csv", *(["pandas"] if FIND("pandas") else [])]
CSV = """id,age,photo,height,label
7,31,a.png,1.5,cat
8,22,b.png,,dog
9,40,c.png,1.75,cat
"""


@pytest.fixture(params=READERS)
def reader(request, monkeypatch):
    if request.param == "csv":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pandas" else FIND(name))


def read(tmp_path, text, label_column="", suffix=".csv"):
    path = tmp_path / f"mine{suffix}"
    path.write_text(text, encoding="utf-8")
    return tables.read(path, label_column)


def test_columns_of_numbers_are_features(reader, tmp_path):
    found = read(tmp_path, CSV.replace(",,", ",2,"))
    np.testing.assert_array_equal(found.arrays["x"], [[31, 1.5], [22, 2], [40, 1.75]])
    assert found.arrays["y"].tolist() == ["cat", "dog", "cat"] and found.arrays["y"].dtype.kind == "U"
    assert found.notes == (
        "The labels are in column 'label'.",
        "Left out of the features (numbers of the rows): 'id'.",
        "Left out of the features (text): 'photo'.",
    )


def test_a_table_is_a_data_set(reader, tmp_path):
    rows = [f"{i},{i * 0.5},{'rare' if i % 5 == 0 else 'often'}" for i in range(50)]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,Class", *rows]))
    data = datasets.load(str(tmp_path / "mine.csv"), 0)
    assert data.class_names == ("often", "rare") and data.scaling == "feature"
    assert np.bincount(data.y_test).tolist() == [8, 2] and data.x_train.shape == (40, 2)
    np.testing.assert_array_equal(data.x_train[:, 1] * 2, data.x_train[:, 0])


LABELS = {  # cells of a column -> what comes of them
    "integers": (["3", "1", "2"], [3, 1, 2]),
    "whole floats": (["3.0", "1.0", "2.0"], [3.0, 1.0, 2.0]),
    "numbers and text": (["3", "1", "b"], ["3", "1", "b"]),
    "words that pandas takes for nothing": (["NA", "None", "null"], ["NA", "None", "null"]),
    "booleans": (["True", "False", "True"], [True, False, True]),
    "empty text": (["a", "", "b"], ["a", "", "b"]),
}


@pytest.mark.parametrize("cells, expected", LABELS.values(), ids=LABELS)
def test_labels_of_a_table(reader, tmp_path, cells, expected):
    found = read(tmp_path, "x,label\n" + "".join(f"0.5,{cell}\n" for cell in cells))
    assert found.arrays["y"].tolist() == expected


def test_a_last_line_without_its_end_is_said(reader, tmp_path):
    """What is left of a cell may be another class."""
    for text, cut in (("x,y\n1,cat\n2,ca", True), ("x,y\n1,cat\n2,ca\n", False), ("x,y\r\n1,cat\r\n2,ca\r\n", False)):
        assert (tables.NO_END in read(tmp_path, text).notes) == cut


def test_an_unlabelled_row_is_said(reader, tmp_path):
    for cells in (("1", "", "2"), ("a", "", "b"), ("0", "-1", "1")):
        (tmp_path / "mine.csv").write_text("x,label\n" + "".join(f"0.5,{cell}\n" for cell in cells))
        with pytest.raises(ValueError, match=r"1 of 3 rows have no label \(the first: y\[1\]"):
            datasets.load(str(tmp_path / "mine.csv"), 0)


def test_a_column_of_vectors(reader, tmp_path):
    found = read(tmp_path, 'embedding,more,y\n"[1, 2.5, -3e-1]",7,0\n"[4 5 6]",8,1\n')
    np.testing.assert_array_equal(found.arrays["x"], [[1, 2.5, -0.3, 7], [4, 5, 6, 8]])


def test_tabs_and_semicolons(reader, tmp_path):
    for text, suffix in (
        ("a\ty\n1\t0\n2\t1\n", ".tsv"),
        ("a;y\n1;0\n2;1\n", ".csv"),
        ("\ufeffa,y\n1,0\n2,1\n", ".csv"),
    ):
        found = read(tmp_path, text, suffix=suffix)
        np.testing.assert_array_equal(found.arrays["x"], [[1], [2]])


REFUSED = {
    "no label column": (
        "a,b\n1,2\n",
        "",
        "no column is called label; say which one by label_column, the columns are a, b",
    ),
    "two of them": ("y,class,b\n1,2,3\n", "", "'y' and 'class' could hold the labels"),
    "no such column": ("a,y\n1,2\n", "kind", "label_column is 'kind', the columns are a, y"),
    "no names": ("5.1,3.5\n4.9,3\n", "", "the first line must hold the names of the columns, got 5.1, 3.5"),
    "an empty cell": (CSV, "", r"column 'height' has 1 cells without a number, the first in row 1 \(from 0\)"),
    "a word among numbers": (
        "a,y\n1,0\n?,1\n3,0\n",
        "",
        r"column 'a': row 1 \(from 0\) is '\?', where most cells are num",
    ),
    "nothing but text": (
        "name,y\nab,0\ncd,1\n",
        "",
        "no column of numbers beside the labels, the columns are name, y; text",
    ),
    "a short vector": ('e,y\n"[1, 2]",0\n"[1]",1\n', "", "no column of numbers"),
    "one name twice": ("a,a,y\n1,2,0\n", "", "two columns are called 'a'"),
    "nothing": ("", "", "mine.csv: no column is called label|No columns to parse"),
}


@pytest.mark.parametrize("text, label_column, message", REFUSED.values(), ids=REFUSED)
def test_tables_that_are_refused(reader, tmp_path, text, label_column, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, text, label_column)
    assert str(caught.value).startswith(str(tmp_path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a,y\n1,0,5\n2,1,5\n", "a,y\n1,0\n2,1,5\n"], ids=["all lines", "one"])
def test_cells_beyond_the_last_column_are_not_left_out(reader, tmp_path, text):
    with pytest.raises(ValueError, match="mine.csv: not a readable table"):
        read(tmp_path, text)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_what_is_no_file_is_not_waited_for(reader, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match=rf"{name}{suffix}: not a readable .* \(it is a {name}\)"):
            tables.read(tmp_path / f"{name}{suffix}")


def test_a_parquet_file_that_claims_too_much(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    parquet.write_table(arrow.table({"a": np.zeros(100_000), "label": np.zeros(100_000, int)}), tmp_path / "a.parquet")
    monkeypatch.setattr(regular, "room", lambda: 10**6)
    with pytest.raises(ValueError, match=r"a.parquet: not a readable Parquet file \(it says that it holds 0.0 GB and"):
        tables.read(tmp_path / "a.parquet")


def test_long_cells_are_cut_in_messages(reader, tmp_path):
    with pytest.raises(ValueError) as caught:
        read(tmp_path, f"a,y\n1,0\n{'?' * 5000},1\n3,0\n")
    assert len(str(caught.value)) < len(str(tmp_path)) + 250
    with pytest.raises(ValueError) as caught:
        read(tmp_path, f"{'a' * 5000},b\n1,0\n")
    assert len(str(caught.value)) < len(str(tmp_path)) + 250
    with pytest.raises(ValueError, match=r"the columns are a.nb, c") as caught:
        read(tmp_path, '"a\nb",c\n1,0\n')
    assert str(caught.value).isprintable()


def test_rows_of_other_lengths(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"row 1 \(from 0\) has 3 cells, there are 2 columns"):
        read(tmp_path, "a,y\n1,0\n1,2,0\n")
    with pytest.raises(ValueError, match="mine.csv: not a readable table"):
        (tmp_path / "mine.csv").write_bytes(b"a,y\n\xff\xfe,1\n")
        tables.read(tmp_path / "mine.csv")


def test_label_column_is_for_tables(tmp_path):
    with pytest.raises(ValueError, match="label_column: is for tables .*, got 'kind'"):
        datasets.load(str(tmp_path / "a.npz"), 0, label_column="kind")
    with pytest.raises(FileNotFoundError, match="dataset: no file .*none.csv"):
        datasets.load(str(tmp_path / "none.csv"), 0)
    with pytest.raises(FileNotFoundError, match="dataset: no file is named; give the path of yours .*[.]csv"):
        datasets.load("", 0)


OBJECTS = {  # cells as libraries hand them on -> what comes of them
    "text with None": (["a", None, "b"], ["a", "", "b"]),
    "numbers with None": ([1, None, 2.5], [1, np.nan, 2.5]),
    "integers": ([1, 2, 2**40], [1, 2, 2**40]),
    "integers beyond 64 bits": ([1, 2, 2**70], [1, 2, 2.0**70]),
    "integers beyond a float, and an empty cell": ([1, None, 10**400], [1, np.nan, np.inf]),
    "booleans": ([True, False, True], [True, False, True]),
    "lists": ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]]),
    "arrays": ([np.ones(2), np.zeros(2), np.ones(2)], [[1, 1], [0, 0], [1, 1]]),
}


@pytest.mark.parametrize("cells, expected", OBJECTS.values(), ids=OBJECTS)
def test_cells_of_any_kind(cells, expected):
    array = np.empty(len(cells), object)
    array[:] = cells
    found = columns.read_cells("f: column 'a'", array)
    assert found.dtype.kind != "O"
    np.testing.assert_array_equal(found, expected)
    array[1] = [1, 2, 3]
    if isinstance(cells[0], (list, np.ndarray)):
        with pytest.raises(ValueError, match=r"f: column 'a': row 1 \(from 0\) is int64 \(3,\), the first \(2,\)"):
            columns.read_cells("f: column 'a'", array)


def test_parquet_needs_a_library(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"mine.parquet: Parquet needs a library .*; pip install pyarrow"):
        tables.read(tmp_path / "mine.parquet")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_parquet(tmp_path, monkeypatch, library):
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip(library)
    parquet = pytest.importorskip("pyarrow.parquet")
    path, embedding = tmp_path / "mine.parquet", np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    table = {
        "age": np.arange(30),
        "embedding": [row for row in embedding],
        "when": np.arange(30).astype("M8[s]"),
        "name": [f"row {i}" for i in range(30)],
        "label": arrow.array(["a", "b", "c"] * 10).dictionary_encode(),
    }
    parquet.write_table(arrow.table(table), path)
    hidden = {"pandas", "polars", "pyarrow"} - {library, "pyarrow" if library == "pandas" else library}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else FIND(name))
    data = datasets.load(str(path), 0)
    assert data.class_names == ("a", "b", "c") and data.x_train.shape == (24, 5)
    rows = np.concatenate([data.x_train, data.x_test])
    np.testing.assert_array_equal(rows[:, 1:], embedding[rows[:, 0].astype(int)])
    assert "Left out of the features (times): 'when'." in data.notes
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ValueError, match="mine.parquet: not a readable Parquet file") as caught:
        tables.read(path)
    assert "\n" not in str(caught.value)


def test_a_saved_data_set_needs_its_library(tmp_path, monkeypatch):
    (tmp_path / "state.json").write_text(json.dumps({}))
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="was saved by the library datasets, which is not installed"):
        datasets.load(str(tmp_path), 0)


@pytest.mark.filterwarnings("ignore")  # of libraries that the library uses
def test_a_saved_data_set(tmp_path):
    saved = pytest.importorskip("datasets")
    if not hasattr(saved, "ClassLabel"):  # the folder of these tests, which a sys.path of pytest may find first
        pytest.skip("the library datasets is not installed")
    kinds = saved.ClassLabel(names=["no", "yes", "maybe"])
    features = saved.Features(
        {"embedding": saved.Sequence(saved.Value("float32")), "text": saved.Value("string"), "label": kinds}
    )
    rows = [{"embedding": [float(i), -float(i)], "text": f"row {i}", "label": i % 2} for i in range(30)]
    whole = saved.Dataset.from_list(rows, features=features)
    parts = saved.DatasetDict(train=whole.select(range(20)), test=whole.select(range(20, 30)), validation=whole)
    parts.save_to_disk(tmp_path / "parts")
    data = datasets.load(str(tmp_path / "parts"), 0)
    np.testing.assert_array_equal(data.x_test[:, 0], np.arange(20, 30))
    assert data.class_names == ("no", "yes", "maybe") and data.num_classes == 3
    assert "Parts that are not used: validation." in data.notes
    whole.save_to_disk(tmp_path / "whole")
    assert len(datasets.load(f"{tmp_path}/whole/", 0).y_train) == 24
