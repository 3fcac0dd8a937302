"""What a person sees of a row: the cells of a table, an image of a folder, a series drawn as a line."""

import csv
import io
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from alfamous_jax.datasets import columns, npz, tables
from alfamous_jax.datasets.labels import short

TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".bmp": "image/bmp",
}  # fmt: skip
FILES = ("file", "image", "filename", "path")  # the column that names the image of a row, where a table has one
WIDTH, HEIGHT, MOST = 600, 160, 1200  # of a drawing; points of a line
LONGEST = 20_000  # letters of a cell that are shown


class Content(NamedTuple):
    """Of one row."""

    cells: tuple[tuple[str, str], ...] = ()  # name and text
    lines: tuple[str, ...] = ()  # points of a line each, in a box of WIDTH x HEIGHT
    span: tuple[str, str] = ("", "")  # the smallest and the largest number of them
    image: bool = False


class Show(NamedTuple):
    """How the rows of a pool are shown."""

    content: Callable[[int], Content]
    images: tuple[pathlib.Path, ...] = ()  # of each row, where there are any
    notes: tuple[str, ...] = ()


def of(rows: np.ndarray, show: pathlib.Path | None, folder: pathlib.Path | None) -> Show:
    """Looks at the files first, so that nothing is found wrong later.

    Args:
      rows: of the pool [N, H]; drawn themselves where neither of the others is given.
      show: a `.csv`, `.tsv` or `.parquet` table with a line for each row, or series [N, T] or [N, T, C] in an `.npy`.
      folder: with an image for each row, in the order of their names, numbers in them by value; or those that a column
        of the table called file or image names.

    Raises:
      FileNotFoundError, ValueError: it is not there, or has not as many rows as the pool.
    """
    if show is None and folder is None:
        return Show(lambda row: drawn(rows[row]), notes=("Nothing to show beside the rows: they are drawn as lines.",))
    if show is not None and show.suffix == ".npy":
        series = npz.read_array(show, mapped=True)
        if series.ndim not in (2, 3) or series.dtype.kind not in "biuf" or not series.size:
            raise ValueError(f"{show}: series must be numbers [N, T] or [N, T, C], got {series.dtype} {series.shape}")
        _check_number(show, len(series), len(rows))
        found = Show(lambda row: drawn(series[row]))
    elif show is not None:
        found = _table(show, len(rows), hides_files=folder is not None)
    else:
        found = Show(lambda row: Content())
    return found if folder is None else _with_images(found, folder, len(rows), show)


def drawn(series: np.ndarray) -> Content:
    """Numbers [T] or [T, C] as lines; of long ones some points, the smallest and largest of every stretch."""
    values = np.asarray(series, np.float64)
    values = values if values.ndim == 2 else values[:, None]
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    scale = HEIGHT / (high - low) if high > low else 0.0
    lines = []
    for channel in values.T[:16]:
        places = _places(channel)
        x = places * (WIDTH / max(len(channel) - 1, 1))
        y = HEIGHT - (channel[places] - low) * scale if scale else np.full(len(places), HEIGHT / 2)
        lines.append(" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)))
    return Content(lines=tuple(lines), span=(f"{low:.3g}", f"{high:.3g}"))


def _places(channel: np.ndarray) -> np.ndarray:
    """Which points of a series are drawn, of those that are numbers."""
    known = np.flatnonzero(np.isfinite(channel))
    if len(known) <= MOST:
        return known
    stretches = np.array_split(known, MOST // 2)
    ends = [(part[np.argmin(channel[part])], part[np.argmax(channel[part])]) for part in stretches]
    return np.unique(np.array(ends))


def _table(path: pathlib.Path, num_rows: int, hides_files: bool) -> Show:
    found = _cells(path)
    _check_number(path, len(next(iter(found.values()), ())), num_rows)
    hidden = [name for name in found if name.strip().lower() in columns.LABEL_NAMES]
    shown = [name for name in found if name not in hidden and not (hides_files and _names_files(name))]
    if not shown and not hides_files:
        raise ValueError(f"{path}: needs a column to show beside {', '.join(map(repr, hidden))}")
    notes = (f"Not shown (labels): {', '.join(map(short, hidden))}.",) if hidden else ()
    return Show(lambda row: Content(tuple((name, _text(found[name][row])) for name in shown)), notes=notes)


def _cells(path: pathlib.Path) -> Mapping[str, Any]:
    """The columns of a table: of CSV as text, cell by cell, as one long text would widen a whole array."""
    if path.suffix == ".parquet":
        return tables.read_columns(path)
    if path.suffix not in tables.SUFFIXES:
        raise ValueError(f"{path}: expected a file ending in .npy, {', '.join(tables.SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        separator = "\t" if path.suffix == ".tsv" else ";" if ";" in first and "," not in first else ","
        header, *lines = _lines(text, separator)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ValueError(f"{path}: not a readable table ({' '.join(str(error).split())})") from None
    lines = [line for line in lines if line]
    for number, line in enumerate(lines):
        if len(line) != len(header):
            raise ValueError(f"{path}: row {number} (from 0) has {len(line)} cells, there are {len(header)} columns")
    if len(set(header)) < len(header):
        raise ValueError(f"{path}: two columns have the same name")
    return {name: [line[place] for line in lines] for place, name in enumerate(header)}


def _lines(text: str, separator: str) -> list[list[str]]:
    """Of all lines, however long a cell is: the limit of the csv module is the whole process's, and is put back."""
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    finally:
        csv.field_size_limit(limit)


def _with_images(found: Show, folder: pathlib.Path, num_rows: int, table: pathlib.Path | None) -> Show:
    """Adds an image to each row."""
    if not folder.is_dir():
        raise ValueError(f"--images must be a folder that is there, got {folder}")
    root = folder.resolve()
    cells = _cells(table) if table is not None and table.suffix != ".npy" else {}
    naming = next((name for name in cells if _names_files(name)), None)
    if naming is None:
        inside = [path for path in root.rglob("*") if path.suffix.lower() in TYPES and path.is_file()]
        paths = sorted((path for path in inside if not path.name.startswith(".")), key=lambda path: _order(path, root))
        _check_number(folder, len(paths), num_rows, "images")
    else:
        paths = [root / str(name) for name in cells[naming]]
    for row, path in enumerate(paths):
        if not path.resolve().is_relative_to(root) or path.suffix.lower() not in TYPES or not path.is_file():
            raise ValueError(
                f"row {row}: {path.relative_to(root) if path.is_relative_to(root) else path} is no image in {folder}"
            )
    ends = [str(path.relative_to(root)) for path in (paths[0], paths[-1])]
    notes = *found.notes, f"Row 0 is {short(ends[0])}, row {len(paths) - 1} is {short(ends[1])}."
    return Show(lambda row: found.content(row)._replace(image=True), tuple(paths), notes)


def _names_files(column: str) -> bool:
    return column.strip().lower() in FILES


def _order(path: pathlib.Path, root: pathlib.Path) -> list[tuple[str, int]]:
    """Sorts names with numbers in them by their value: 2.png before 10.png."""
    parts = re.findall(r"(\D*)(\d*)", str(path.relative_to(root)))
    return [(text, int(digits or -1)) for text, digits in parts]


def _text(cell: Any) -> str:
    text = "" if cell is None or cell != cell else str(cell)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} letters)"


def _check_number(path: pathlib.Path, found: int, wanted: int, what: str = "rows") -> None:
    if found != wanted:
        raise ValueError(f"{path}: has {found:,} {what}, the pool has {wanted:,} rows")
