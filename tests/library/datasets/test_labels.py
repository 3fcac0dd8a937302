"""What labels in a file are taken for, and which are refused; small cases by hand."""

import re

import hypothesis
import hypothesis.strategies as some
import numpy as np
import pytest
from data_files import write

from alfamous_jax import datasets
from alfamous_jax.datasets import labels

INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]

# Labels as they come -> classes, their names, and a word of the note.
TAKEN = {
    "from 0": ([0, 2, 1], [0, 2, 1], (), None),
    "from 1": ([1, 3, 2], [0, 2, 1], ("1", "2", "3"), "rising"),
    "with a gap": ([0, 7, 3], [0, 2, 1], ("0", "3", "7"), "rising"),
    "negative": ([-5, 4, -5], [0, 1, 0], ("-5", "4"), "rising"),
    "floats": ([0.0, 2.0, 1.0], [0, 2, 1], (), "floats with whole values"),
    "floats from 1": ([2.0, 1.0], [1, 0], ("1", "2"), "rising"),
    "text": (["cat", "ant", "cat"], [1, 0, 1], ("ant", "cat"), "alphabetical"),
    "bytes": ([b"cat", "\u00e9".encode(), b"ant"], [1, 2, 0], ("ant", "cat", "\u00e9"), "alphabetical"),
    "digits as text": (["10", "9", "10"], [0, 1, 0], ("10", "9"), "alphabetical"),
    "booleans": ([True, False, True], [1, 0, 1], ("False", "True"), "False .class 0."),
    "one boolean": ([True, True], [1, 1], ("False", "True"), "False .class 0."),
    "a column": ([[1], [0]], [1, 0], (), "one column"),
    "one-hot": ([[0, 1, 0], [1, 0, 0]], [1, 0], (), "one-hot"),
    "one-hot floats": ([[0.0, 1.0], [1.0, 0.0]], [1, 0], (), "one-hot"),
}


@pytest.mark.parametrize("y, classes, names, note", TAKEN.values(), ids=TAKEN)
def test_labels_are_taken(y, classes, names, note):
    found = labels.number("f", {"y": np.array(y)})
    assert found.parts["y"].tolist() == classes and found.parts["y"].dtype == np.int32
    assert found.names == names and bool(found.notes) == (note is not None)
    if note:
        assert any(re.search(note, text) for text in found.notes)


def test_one_hot_columns_are_classes_with_or_without_rows():
    assert labels.number("f", {"y": np.array([[0, 1, 0], [1, 0, 0]])}).num_classes == 3


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_of_any_width(dtype):
    found = labels.number("f", {"y": np.array([1, 0, 2, 0], dtype)}, 3)
    assert found.parts["y"].tolist() == [1, 0, 2, 0] and found.notes == () and found.names == ()
    top = np.iinfo(np.uint8).max
    if dtype is np.uint8:
        assert labels.number("f", {"y": np.arange(top + 1).astype(dtype)}, 256).parts["y"].tolist() == [*range(256)]


def test_both_parts_are_numbered_together():
    found = labels.number("f", {"y_train": np.array(["b", "d", "b"]), "y_test": np.array(["a", "b"])})
    assert found.names == ("a", "b", "d")
    assert found.parts["y_train"].tolist() == [1, 2, 1] and found.parts["y_test"].tolist() == [0, 1]


NAMED = {
    "numbers count the names": ([0, 1, 0], ("x", "y", "z"), [0, 1, 0]),
    "text is a name": (["z", "x"], ("x", "y", "z"), [2, 0]),
    "numbers that are names": ([1, 3, 2], ("1", "2", "3"), [0, 2, 1]),
    "names of numbers in another order": (["2", "1"], ("2", "1"), [0, 1]),
    "booleans": ([True, False], ("no", "yes"), [1, 0]),
    "one-hot": ([[1, 0], [0, 1]], ("no", "yes"), [0, 1]),
}


@pytest.mark.parametrize("y, names, classes", NAMED.values(), ids=NAMED)
def test_names_say_which_classes_there_are(y, names, classes):
    found = labels.number("f", {"y": np.array(y)}, 0, names)
    assert found.parts["y"].tolist() == classes and found.names == names and found.num_classes == len(names)
    again = labels.number("f", {"y": np.array(y)}, len(names), names)
    assert again.parts["y"].tolist() == classes


REFUSED = {
    "a label too large": (
        [0, 1, 3],
        3,
        (),
        r"num_classes is 3, .* have 3 classes \(0, 1, 3\): y\[2\] is 3, not one of",
    ),
    "a class too many": ([0, 1, 2], 2, (), r"num_classes is 2, the labels have 3 classes"),
    "from 1": ([1, 2, 3], 3, (), r"y\[2\] is 3, not one of 0 to 2; num_classes 0 takes what the file has"),
    "fewer classes": ([0, 1, 2], 5, (), "num_classes is 5, the labels have 3 .* name all 5 in classes"),
    "fewer names": ([0, 1, 2], 5, ("a", "b", "c"), "num_classes is 5, classes has 3 names"),
    "fewer texts": (["a", "b"], 3, (), "num_classes is 3, the labels have 2"),
    "more texts": (["a", "b", "c"], 2, (), "num_classes is 2, the labels have 3"),
    "no name": (["a", "d"], 0, ("a", "b"), r"the label 'd' is none of the 2 classes \(a, b\)"),
    "beyond the names": ([0, 3], 0, ("a", "b"), "the label '0' is none of the 2 classes"),
    "a name twice": ([0, 1], 0, ("a", "a"), "different names"),
    "numbers or names": ([1, 2], 0, ("1", "2", "3"), "are numbers of classes and names of others"),
    "-1": ([0, 1, -1, -1], 0, (), r"2 of 4 rows have no label \(the first: y\[2\] is -1"),
    "-1 and 1": ([1, -1], 0, (), "If -1 is a class of yours, write the classes as 0 and 1"),
    "NaN": ([0.0, np.nan, 1.0], 0, (), "1 of 3 rows have no label .* cannot simulate .* docs/own-data.md"),
    "empty text": (["a", "", "b"], 0, (), r"1 of 3 rows have no label \(the first: y\[1\] is ''"),
    "a fraction": ([0.0, 0.37], 0, (), r"y\[1\] is 0.37: labels that are floats must have whole values"),
    "infinite": ([0.0, np.inf], 0, (), r"y\[1\] is inf: labels that are floats must have whole values"),
    "rounded in half precision": (
        np.float16([1, 2, 2050]),
        0,
        (),
        r"y\[2\] is 2050.0: .* 2,048 are rounded in float16",
    ),
    "rounded in float32": (np.float32([1, 2**24 + 2]), 0, (), "whole values beyond 16,777,216 are rounded in float32"),
    "rounded in float64": (
        [1.0, 2.0**53 + 2],
        0,
        (),
        "whole values beyond 9,007,199,254,740,992 are rounded in float64",
    ),
    "names of two lines": (["a\nb", "c"], 3, (), r"have 2 classes \(a\\nb, c\)"),
    "one class": ([4, 4], 0, (), "needs two classes, every label is 4"),
    "no 1 in a row": ([[0, 1], [0, 0]], 0, (), "a single 1 in each row"),
    "two numbers": ([[0, 2], [1, 0]], 0, (), "must be one-hot"),
    "complex": ([1j, 0], 0, (), "must be whole numbers, text, or True and False, got complex128"),
    "times": (np.array([1, 2], "m8[s]"), 0, (), "must be whole numbers"),
    "three axes": (np.zeros((2, 1, 2)), 0, (), "must be labels"),
    "a number for each row": (np.arange(100), 0, (), "100 values in 100 rows .*: are they classes"),
}


@pytest.mark.parametrize("y, num_classes, names, message", REFUSED.values(), ids=REFUSED)
def test_labels_that_do_not_fit_are_refused(y, num_classes, names, message):
    with pytest.raises(ValueError, match=message) as caught:
        labels.number("mine.npz", {"y": np.array(y)}, num_classes, names)
    assert str(caught.value).startswith("mine.npz") and "\n" not in str(caught.value)


def test_parts_of_two_kinds():
    with pytest.raises(ValueError, match="of one kind, y_train holds text and y_test holds whole numbers"):
        labels.number("f", {"y_train": np.array(["a", "b"]), "y_test": np.array([0, 1])})


@hypothesis.given(some.lists(some.integers(-(2**40), 2**40).filter(lambda x: x != -1), min_size=2, max_size=30))
@hypothesis.settings(deadline=None, max_examples=60)
def test_any_integers_are_numbered_in_order_and_again_by_their_names(values):
    hypothesis.assume(1 < len(set(values)) <= 10)
    y = np.array(values)
    found = labels.number("f", {"y": y})
    classes = found.parts["y"]
    assert sorted(set(classes.tolist())) == list(range(found.num_classes)) and found.num_classes == len(set(values))
    assert ((y[:, None] < y) == (classes[:, None] < classes)).all(), "in the order of the values"
    again = labels.number("f", {"y": y}, found.num_classes, found.names)
    np.testing.assert_array_equal(again.parts["y"], classes)


def test_a_file_says_its_classes(tmp_path):
    x = np.arange(40.0).reshape(20, 2)
    path = write(tmp_path / "a.npz", x=x, y=np.array(["ham", "spam"])[np.arange(20) % 2])
    data = datasets.load(path, 0)
    assert data.num_classes == 2 and data.class_names == ("ham", "spam")
    assert len(data.y_test) == 4 and any("alphabetical" in note for note in data.notes)
    wider = datasets.load(path, 0, classes=("egg", "ham", "spam"))
    assert wider.num_classes == 3 and set(wider.y_train) == {1, 2}
    named = write(tmp_path / "b.npz", x=x, y=np.arange(20) % 2, classes=np.array(["no", "yes", "maybe"]))
    assert datasets.load(named, 0).class_names == ("no", "yes", "maybe")
    with pytest.raises(ValueError, match=r"num_classes is 5, classes has 3 names \(no, yes, maybe\)"):
        datasets.load(named, 5)
