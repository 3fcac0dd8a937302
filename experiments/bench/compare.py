"""Two results of `experiments.bench` side by side: two machines, or two commits on one."""

import pathlib

from experiments.store import files

SHOWN = ("date", "git_revision", "jax", "jaxlib", "backend", "devices", "cpu", "cores")


def load(path: str) -> dict:
    """A result; ValueError, naming the file, for anything else."""
    if not pathlib.Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    result = files.read_json(pathlib.Path(path))
    if not result.keys() >= {"environment", "shape", "rows"}:
        raise ValueError(f"{path}: not a result of experiments.bench (environment, shape, rows)")
    return result


def compare(first: dict, second: dict) -> tuple[list[str], dict[str, dict]]:
    """What differs between two results.

    Args:
      first, second: of `load`.

    Returns:
      lines on the environments and on rows that one result lacks; for each row of both first_ms, second_ms, ratio
      (above 1: the second is slower), differs (whether the quartiles lie apart), fractions of the limit.

    Raises:
      ValueError: the results are of other shapes.
    """
    if first["shape"] != second["shape"]:
        raise ValueError(f"the results are of different shapes: {first['shape']} and {second['shape']}")
    before, after = first["environment"], second["environment"]
    lines = [f"{name}: {before.get(name)} | {after.get(name)}" for name in SHOWN if before.get(name) != after.get(name)]
    lines += [f"only in one: {name}" for name in sorted(first["rows"].keys() ^ second["rows"].keys())]
    rows = {}
    for name, a in first["rows"].items():
        b = second["rows"].get(name, {})
        if "low_s" not in a or "low_s" not in b:
            continue
        rows[name] = {
            "first_ms": 1e3 * a["median_s"],
            "second_ms": 1e3 * b["median_s"],
            "ratio": b["median_s"] / a["median_s"],
            "differs": a["high_s"] < b["low_s"] or b["high_s"] < a["low_s"],
            "first_fraction": a.get("fraction"),
            "second_fraction": b.get("fraction"),
        }
    return lines, rows


def show(lines: list[str], rows: dict[str, dict]) -> None:
    """Prints a comparison."""
    print(*lines, sep="\n")
    width = max(map(len, rows), default=0)
    print(f"\n{'':{width}}   first ms  second ms   ratio  of the limit")
    for name, row in rows.items():
        parts = [f"{fraction:.0%}" if fraction else "-" for fraction in (row["first_fraction"], row["second_fraction"])]
        ratio = f"{row['ratio']:7.2f}" if row["differs"] else "   same"
        print(f"{name:{width}} {row['first_ms']:10.3f} {row['second_ms']:10.3f} {ratio}  {parts[0]:>5} {parts[1]:>5}")
