"""Tables and series as text, with cells that somebody may well have written."""

import numpy as np

CELLS = [
    "",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "1e400",
    "1e39",
    "-1",
    "0x1f",
    "1_000",
    "1,5",
    "  ",
    "abc",
    "é",
    "\0",
    '"',
    '"a',
    "[1 2]",
]
CELLS += [
    "[1, 2",
    "True",
    "2020-01-01",
    "9" * 400,
    "-" + "9" * 30,
    "1e-400",
    "None",
    "NA",
    "'",
    "\\",
    "#",
    "=1+1",
    "\u2028",
    "+1",
]
NAMES = ["label", "y", "class", "target", "id", "a", "b", "a", "", "1", "Unnamed: 0", "é"]


def table(rng: np.random.Generator, separator: str) -> bytes:
    """Some lines of cells, most of them numbers, under names."""
    width, rows = int(rng.integers(1, 6)), int(rng.integers(0, 25))
    separator = separator if rng.random() < 0.9 else ",\t;"[rng.integers(3)]
    header = [*(f"f{i}" for i in range(width)), "label"]
    if rng.random() < 0.2:
        header = [NAMES[i] for i in rng.integers(0, len(NAMES), width + 1)]
    odd, named = rng.random() < 0.4, rng.random() < 0.5
    lines = [separator.join(header)]
    for row in range(rows):
        cells = [f"{x:.{rng.integers(0, 9)}g}" for x in rng.normal(size=width) * 100]
        cells.append(["ant", "bee", "3"][row % 3] if named else str(row % 3))
        if odd and rng.random() < 0.05:
            cells[rng.integers(width + 1)] = CELLS[rng.integers(len(CELLS))]
        if odd and rng.random() < 0.03:
            cells = cells[:-1] if rng.random() < 0.5 else [*cells, "1"]
        lines.append(separator.join(cells))
    end = ["\n", "\r\n", "\r", "\n\n"][rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])]
    return (end.join(lines) + end * int(rng.integers(2))).encode(
        ["utf-8", "utf-8-sig", "utf-16", "latin-1"][rng.choice(4, p=[0.85, 0.05, 0.05, 0.05])], "replace"
    )


def series(rng: np.random.Generator, length: int) -> bytes:
    """Lines of a label and numbers."""
    separator, lines = ["\t", "  ", " "][rng.integers(3)], []
    for row in range(rng.integers(0, 12)):
        cells = [f"{x:.4g}" for x in rng.normal(size=length)]
        label = row % 5 + (1 if rng.random() < 0.97 else rng.choice([0.5, -7, 2**60]))
        cells.insert(0, f"{label:.7e}" if rng.random() < 0.3 else str(label))
        if rng.random() < 0.03:
            cells[rng.integers(len(cells))] = CELLS[rng.integers(len(CELLS))]
        lines.append(separator.join(cells))
    return ("\n".join(lines) + "\n" * (rng.random() < 0.9)).encode("utf-8", "replace")


def column(rng: np.random.Generator, rows: int) -> list:
    """Cells of a column of a table that has types."""
    how = rng.integers(0, 9)
    numbers = rng.normal(size=rows).tolist()
    if how == 0:
        return [None if rng.random() < 0.1 else x for x in numbers]
    if how == 1:
        return [[x, 1.0][: 2 if rng.random() < 0.98 else 1] for x in numbers]
    if how == 2:
        return [f"{x:.2f}" for x in numbers]
    if how == 3:
        return [bytes([int(abs(x)) % 256]) for x in numbers]
    if how == 4:
        return [np.datetime64(int(1e9 * abs(x)), "s") for x in numbers]
    if how == 5:
        return [x > 0 for x in numbers]
    if how == 6:
        return [int(x * 10) for x in numbers]
    if how == 7:
        return [{"a": x} for x in numbers]
    return [float(rng.choice([x, x, np.nan, np.inf, 1e300])) for x in numbers]
