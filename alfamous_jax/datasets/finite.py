"""Numbers that float32 has: no NaN, no infinity, nothing beyond its range; the first that is not is named."""

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
CHUNK = 1 << 24  # numbers that are looked at together


def check(where: str, x: np.ndarray, name: str = "x") -> None:
    """Refuses an array with a number that float32 does not have; one that is mapped from a file is read in parts.

    Args:
      where: the file, for messages.
      x: [rows, ...].
      name: of the array, for messages.

    Raises:
      ValueError: names the first row and column, and the number.
    """
    if x.dtype.kind != "f" or not x.size:
        return
    rows = max(1, CHUNK * len(x) // x.size)
    for first in range(0, len(x), rows):
        part = np.asarray(x[first : first + rows])
        if not np.isfinite(part).all():
            bad = ~np.isfinite(part)
            (_, *rest), row = np.argwhere(bad)[0].tolist(), first + int(np.argwhere(bad)[0][0])
            num, whole = bad.sum(), "" if rows >= len(x) else " at least"
            raise ValueError(
                f"{where}: {name} has{whole} {num} NaN or infinite values, the first at {(row, *rest)} (row {row}, "
                f"column {', '.join(map(str, rest))}, from 0)"
            )
        if x.dtype.itemsize > 4 and max(part.max(), -part.min()) > LARGEST:
            place, *rest = np.argwhere(np.abs(part) > LARGEST)[0].tolist()
            row = first + place
            raise ValueError(
                f"{where}: {name}[{', '.join(map(str, (row, *rest)))}] is {part[place, *rest]:.3g} (row {row}, column "
                f"{', '.join(map(str, rest))}), beyond float32, whose largest number is {LARGEST:.3g}"
            )
