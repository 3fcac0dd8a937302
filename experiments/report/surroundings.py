"""What `environment.json` says of a run, as far as a report can use it: a damaged one costs no report."""

import pathlib
from collections.abc import Mapping
from typing import Any

from experiments.store import files

NAME = "environment.json"


def read(folder: pathlib.Path) -> Mapping[str, Any]:
    """The content of the file; empty if there is none or it cannot be read, without what is not as a run writes it."""
    try:
        found = files.read_json(folder / NAME)
    except (ValueError, OSError):
        return {}
    if not (found.get("data") is None or _sound(found["data"])):
        found.pop("data")
    parts = found.get("parts", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        found.pop("parts")
    return found


def missing(run_folder: pathlib.Path, environment: Mapping[str, Any]) -> list[str]:
    """A phrase where the file says nothing."""
    if not environment:
        return [f"{'an unreadable' if (run_folder / NAME).exists() else 'no'} {NAME}"]
    return []


def _sound(data: Any) -> bool:
    """Whether facts about data are of the types that `learning.facts` gives them; older runs have fewer of them."""
    if not isinstance(data, dict) or not isinstance(data.get("classes", []), list):
        return False
    if "counts" not in data:
        return "left" not in data
    counts, shape, span = data["counts"], data.get("shape", 0), data.get("range", 0)
    return (
        _whole(counts)
        and len(counts) > 0
        and all(_whole(data.get(name)) and len(data[name]) == len(counts) for name in ("tested", "left"))
        and len(data.get("classes", ())) in (0, len(counts))
        and _whole(shape)
        and shape != []
        and isinstance(data.get("scaling"), str)
        and (span is None or (isinstance(span, list) and len(span) == 2 and all(map(files.is_number, span))))
        and _whole([data.get("constant")])
        and isinstance(data.get("notes", []), list)
    )


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and files.is_number(value) for value in values)
