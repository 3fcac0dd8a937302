"""Known devices beside one another: python -m experiments.bench devices [FILE ...]

Every device has a result of `experiments.bench` with its default sizes in results/bench/devices. The table has a line
for each of them and for each FILE; a FILE's line, and the file, are what to send in for a device that is missing.
"""

import pathlib
from collections.abc import Sequence

from experiments.bench.compare import load

KNOWN = pathlib.Path(__file__).parents[2] / "results" / "bench" / "devices"
SHAPE = {"rows": 32_430, "features": 1024, "classes": 10, "budget": 100}  # the default sizes
COLUMNS = {  # of the table: a row of the result
    "label": "cycle: label, least_confidence",
    "label, BALD": "cycle: label, bald",
    "Laplace fit": "laplace: fit, 2000 rows",
    "batch of 300": "selector: batch of 300",
    "k-center pick": "kcenter: pick",
    "ResNet-6 step": "train: step, resnet6",
}
HEADER = ("device", "backend", "GB/s", "GFLOP/s", *(f"{name}, ms" for name in COLUMNS), "a label", "JAX", "date")


def verdict(row: dict) -> str:
    """What bounds a measured row, and how far it is from there: a line; "" where nothing was counted for it."""
    if "fraction" not in row:
        return ""
    far = f"{row['median_s'] / row['limit_s']:.2g} times the least time"
    if row["bound"] == "overhead":
        return f"overhead: {far}, so that neither memory nor products bound it"
    rate, unit = (row["bandwidth_GBps"], "GB/s") if row["bound"] == "memory" else (row["rate_GFLOPs"], "GFLOP/s")
    what = "reading and writing" if row["bound"] == "memory" else "products"
    return f"{what} at {rate:.3g} {unit} bound it: {far}"


def line(name: str, result: dict) -> list[str]:
    """The cells of a device.

    Args:
      name: of the file that the result came from.
      result: of `compare.load`.

    Raises:
      ValueError: it is of other sizes than the known ones, or has no device or limits.
    """
    about, rows = result["environment"], result["rows"]
    if result["shape"] != SHAPE:
        raise ValueError(f"{name}: measured at {result['shape']}, expected the default sizes {SHAPE}")
    try:
        cores = f" ({about['cores']} cores)" if about["backend"] == "cpu" else ""
        device = f"{about['cpu'] if about['backend'] == 'cpu' else about['devices'][0]}{cores}"
        rates = f"{result['bandwidth_GBps']:.0f}", f"{result['matmul_GFLOPs']['highest']:.0f}"
        known = device, about["backend"], *rates
        times = [f"{1e3 * rows[row]['median_s']:.3g}" if row in rows else "" for row in COLUMNS.values()]
        label = rows.get(COLUMNS["label"], {})
        share = f"{label['fraction']:.0%} of the {label['bound']} limit" if "fraction" in label else ""
        return [*known, *times, share, str(about["jax"]), str(about["date"])[:10]]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{name}: not a whole result of experiments.bench ({error!r})") from None


def table(paths: Sequence[str]) -> str:
    """The known devices and the results in some files, in Markdown.

    Raises:
      ValueError: a file is not there or no result at the default sizes; names it.
    """
    files = [*sorted(KNOWN.glob("*.json")), *map(pathlib.Path, paths)]
    lines = [line(str(path), load(str(path))) for path in files]
    rule = [":--" if place < 2 else "--:" for place in range(len(HEADER))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ([*HEADER], rule, *lines))
