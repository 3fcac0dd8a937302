"""Labels as they stand in somebody's file, made classes 0 to K-1; what they were taken for is said.

| in the file | taken for |
| :-- | :-- |
| integers of any width, from 0 on and without a gap | classes as they are |
| other integers, floats with whole values | classes in rising order, named by the numbers |
| text | classes in alphabetical order, named by the text |
| True and False | two classes of these names |
| [rows, 1] | the same as [rows] |
| [rows, K] of 0 and 1, one 1 in each row | K classes: the column of the 1 |

Names that the file or the caller gives say which classes there are, also those without a row. A label is then a whole
number that counts the names from 0, or one of the names.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

KINDS = {"text": "text", "whole": "whole numbers", "bool": "True and False", "one-hot": "one-hot rows"}
LISTED = 6  # values that a sentence lists
LONGEST = 60  # of such a value


class Labels(NamedTuple):
    """Classes of the rows."""

    parts: dict[str, np.ndarray]  # name of the array -> [rows], int32
    num_classes: int
    names: tuple[str, ...]  # one for each class, or none
    notes: tuple[str, ...]  # what the labels were taken for, a sentence each


class _Read(NamedTuple):
    """The labels of one array, of one kind."""

    kind: str  # of KINDS
    values: np.ndarray  # [rows], int64 or text
    width: int = 0  # columns of one-hot rows
    notes: tuple[str, ...] = ()


def number(where: str, parts: Mapping[str, np.ndarray], num_classes: int = 0, names: Sequence[str] = ()) -> Labels:
    """Numbers the labels of all parts together.

    Args:
      where: the file, for messages.
      parts: name of the array -> labels [rows], [rows, 1] or one-hot [rows, K].
      num_classes: K, or 0 to take it from the names or else from the labels.
      names: of all classes, where they are known.

    Returns:
      the labels as classes.

    Raises:
      ValueError: rows without a label, labels that are no classes, or K or names that do not fit them.
    """
    read = {part: _read(f"{where}: {part}", np.asarray(y)) for part, y in parts.items()}
    if len({(one.kind, one.width) for one in read.values()}) > 1:
        kinds = " and ".join(f"{part} holds {KINDS[one.kind]}" for part, one in read.items())
        raise ValueError(f"{where}: the labels of all rows must be of one kind, {kinds}")
    kind, _, width, _ = next(iter(read.values()))
    _refuse_unlabelled(where, read)
    used = np.unique(np.concatenate([one.values for one in read.values()]))
    classes = np.arange(2) if kind == "bool" else np.arange(width) if kind == "one-hot" else used
    texts = ["False", "True"] if kind == "bool" else [str(value) for value in classes]
    notes = list(dict.fromkeys(note for one in read.values() for note in one.notes))
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: classes must be different names, got {listed(names)}")
    if names and num_classes not in (0, len(names)):
        raise ValueError(f"{where}: num_classes is {num_classes}, classes has {len(names)} names ({listed(names)})")
    if names:
        place, texts = _places(where, kind, classes, texts, names), list(names)
        if kind == "text" or (place != classes).any():
            notes.append(f"The labels are names of classes, numbered in the order given ({listed(names)}).")
    else:
        _refuse_other_number(where, kind, read, classes, num_classes)
        place = np.arange(len(classes))
        if kind == "text" or (classes != place).any():
            how = "alphabetical" if kind == "text" else "rising"
            notes.append(f"The labels {listed(texts)} were numbered 0 to {len(texts) - 1} in {how} order.")
        elif kind != "bool":
            texts = []
    if len(names or classes) < 2:
        raise ValueError(f"{where}: needs two classes, every label is {short(texts[0]) if texts else 0}")
    coded = {part: place[np.searchsorted(classes, one.values)].astype(np.int32) for part, one in read.items()}
    return Labels(coded, len(names or classes), tuple(texts), tuple(notes))


def listed(values: Sequence[object] | np.ndarray) -> str:
    """Some values as text, the middle left out where there are many, and the end of long ones."""
    texts = [short(value) for value in values]
    return ", ".join(texts if len(texts) <= LISTED else [*texts[: LISTED - 2], "...", texts[-1]])


def short(value: object, longest: int = LONGEST) -> str:
    """A value as text for a line: signs that cannot be printed are written out, the end of a long one is left out."""
    text = str(value) if len(str(value)) <= longest else f"{str(value)[:longest]}..."
    return text if text.isprintable() else repr(text)[1:-1]


def _read(what: str, y: np.ndarray) -> _Read:
    if y.ndim == 2 and y.shape[1] == 1:
        inner = _read(what, y[:, 0])
        return inner._replace(notes=("The labels stand in one column, [rows, 1].", *inner.notes))
    if y.ndim == 2 and y.dtype.kind in "biuf" and y.shape[1] > 1:
        if not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
            raise ValueError(f"{what} is {y.dtype} {y.shape}: such labels must be one-hot, a single 1 in each row of 0")
        note = f"The labels are one-hot: the column of the 1, of {y.shape[1]}, is the class."
        return _Read("one-hot", y.argmax(axis=1), y.shape[1], (note,))
    if y.ndim != 1:
        raise ValueError(f"{what} must be labels [rows], [rows, 1] or one-hot [rows, K], got {y.dtype} {y.shape}")
    if y.dtype.kind == "b":
        return _Read("bool", y.astype(np.int64), notes=("The labels are False (class 0) and True (class 1).",))
    if y.dtype.kind in "SU":
        try:
            return _Read("text", np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y)
        except UnicodeDecodeError as error:
            raise ValueError(f"{what} must be text in UTF-8, got bytes such as {short(error.object)}") from None
    if y.dtype.kind == "f":
        whole = np.where(np.isnan(y), -1, y)
        if (odd := np.flatnonzero((whole != np.round(whole)) | np.isinf(whole))).size:
            raise ValueError(f"{what}[{odd[0]}] is {y[odd[0]]}: labels that are floats must have whole values")
        exact = 2 ** min(np.finfo(y.dtype).nmant + 1, 62)
        if (odd := np.flatnonzero(np.abs(whole) > exact)).size:
            raise ValueError(
                f"{what}[{odd[0]}] is {y[odd[0]]}: whole values beyond {exact:,} are rounded in {y.dtype}, so that "
                "classes may have become one; write the labels as integers or text"
            )
        return _Read("whole", whole.astype(np.int64), notes=("The labels are floats with whole values.",))
    if y.dtype.kind in "iu" and (not y.size or y.max() <= np.iinfo(np.int64).max):
        return _Read("whole", y.astype(np.int64))
    raise ValueError(f"{what} must be whole numbers, text, or True and False, got {y.dtype}")


def _refuse_unlabelled(where: str, read: Mapping[str, _Read]) -> None:
    """Rows of NaN, -1 or empty text have no label."""
    lacking = {part: one.values == ("" if one.kind == "text" else -1) for part, one in read.items()}
    num = sum(int(missing.sum()) for missing in lacking.values())
    if not num:
        return
    part, row = next((part, int(np.argmax(missing))) for part, missing in lacking.items() if missing.any())
    total = sum(len(missing) for missing in lacking.values())
    value = repr("") if read[part].kind == "text" else "-1 or NaN"
    values = {x for one in read.values() if one.kind != "text" for x in np.unique(one.values).tolist()}
    hint = " If -1 is a class of yours, write the classes as 0 and 1." if values == {-1, 1} else ""
    raise ValueError(
        f"{where}: {num} of {total} rows have no label (the first: {part}[{row}] is {value}), and a run cannot "
        "simulate the answers for them. Leave them out of the file to compare strategies; to have them labelled, use "
        f"the functions: docs/own-data.md, 'Choose what to label next'.{hint}"
    )


def _places(where: str, kind: str, classes: np.ndarray, texts: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Where each class of the file stands among the names: by its number, or by its name."""
    counts = kind != "text" and bool(((classes >= 0) & (classes < len(names))).all())
    found = {name: place for place, name in enumerate(names)}
    by_name = [found.get(text, -1) for text in texts]
    if counts and -1 not in by_name and by_name != classes.tolist():
        raise ValueError(
            f"{where}: the labels {listed(texts)} are numbers of classes and names of others ({listed(names)}); "
            "write the names as labels, or name the classes otherwise"
        )
    if counts:
        return classes
    if -1 in by_name:
        other = texts[by_name.index(-1)]
        raise ValueError(f"{where}: the label {short(other)!r} is none of the {len(names)} classes ({listed(names)})")
    return np.array(by_name)


def _refuse_other_number(
    where: str, kind: str, read: Mapping[str, _Read], classes: np.ndarray, num_classes: int
) -> None:
    """Refuses K that is not the file's, and labels that are hardly classes."""
    if not num_classes:
        rows = sum(len(one.values) for one in read.values())
        if len(classes) > max(10, rows // 2):
            raise ValueError(
                f"{where}: the labels have {len(classes)} values in {rows} rows ({listed(classes)}): are they classes? "
                "Say num_classes if they are"
            )
        return
    have = f"{where}: num_classes is {num_classes}, the labels have {len(classes)} classes ({listed(classes)})"
    beyond = np.zeros(0, int) if kind == "text" else classes[(classes < 0) | (classes >= num_classes)]
    if beyond.size:
        places = {part: np.flatnonzero(np.isin(one.values, beyond)) for part, one in read.items()}
        part, row = next((part, found[0]) for part, found in places.items() if found.size)
        value = read[part].values[row]
        raise ValueError(
            f"{have}: {part}[{row}] is {value}, not one of 0 to {num_classes - 1}; "
            "num_classes 0 takes what the file has"
        )
    if len(classes) > num_classes:
        raise ValueError(f"{have}; num_classes 0 takes what the file has")
    if len(classes) < num_classes:
        raise ValueError(f"{have}; if the others have no row yet, name all {num_classes} in classes")
