"""What the files of a run must hold for a report: whatever else stands there is told in one line."""

import json
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.plan.check import LONGEST, shown
from experiments.plan.strategies import parse
from experiments.store.files import MOST_WHOLE, is_number

SCORES = ("accuracy", "macro_f1", "cbi", "cbi_sum", "l1_score")
BEYOND = ("balanced_accuracy", "worst_recall", "log_loss", "calibration_error")  # not in runs of earlier versions
BATCHES = ("ed_diversity", "kl_diversity")
NUMBERS = (*SCORES, *BEYOND, *BATCHES, "lam", "train_accuracy", "ridge")
REQUIRED = {"strategy": str, "seed": int, "cycle": int, "num_labelled": int}
NAME = re.compile(r"[\w.:@+-]{1,200}")  # what a strategy's name is made of
ROOM = 50_000_000  # numbers of one kind in a run: seeds x cycles x classes of all strategies


def problem(record: Mapping[str, Any], classes: int) -> str | None:
    """What is wrong with a record, if anything is; `classes` is how many the ones before it have, 0 if unknown."""
    for field, kind in REQUIRED.items():
        if type(record.get(field)) is not kind:
            return f"{field} must be {kind.__name__}, got {_json(record.get(field))}"
        if kind is int and record[field] < 0:
            return f"{field} must not be negative, got {_json(record[field])}"
        if kind is int and record[field] >= MOST_WHOLE:
            return f"{field} must lie below 2**53, got {_json(record[field])}"
    for field in NUMBERS:
        if record.get(field) is not None and not is_number(record[field]):
            return f"{field} must be a number or null, got {_json(record[field])}"
    counts, recall = (record.get(field) or [] for field in ("counts", "recall"))
    if not isinstance(counts, list) or not all(is_number(count) and count >= 0 for count in counts):
        return "counts must be a list of numbers from 0 on"
    if not isinstance(recall, list) or not all(x is None or is_number(x) for x in recall):
        return "recall must be a list of numbers or nulls"
    for field, values in (("counts", counts), ("recall", recall)):
        if values and len(values) != (classes or num_classes(record)):
            return f"{field} must have {classes or num_classes(record)} classes, got {len(values)}"
    for field in ("scheme", "map"):
        if type(record.get(field, "")) is not str:
            return f"{field} must be str, got {_json(record[field])}"
    if record.get("lam_curve") and not _is_curve(record["lam_curve"]):
        return "lam_curve must hold as many numbers in lam, l1 and utility"
    if not NAME.fullmatch(record["strategy"]):
        return f"strategy must be a name, got {shown(record['strategy'])}"
    try:
        parse(record["strategy"])
    except ValueError as error:
        return f"strategy {error}"
    return None


def too_far_apart(records: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with records of which each is right: no arrays can hold cycles that lie so far apart."""
    last = max(record["cycle"] for record in records)
    lanes = len({(record["strategy"], record["seed"]) for record in records})
    if lanes * (last + 1) * max(1, num_classes(records[0])) <= ROOM:
        return None
    return f"cycle {last} is too far from the others for {len(records)} records"


def check_config(config: Mapping[str, Any], path: pathlib.Path) -> None:
    """Refuses fields that a report reads and cannot.

    Raises:
      ValueError: names the file, the field and the value.
    """
    for fields, expected, is_right in CONFIG:
        for field in fields:
            if field in config and not is_right(config[field]):
                raise ValueError(f"{path}: {field} must be {expected}, got {shown(config[field])}")


def num_classes(record: Mapping[str, Any]) -> int:
    """How many classes a record counts, 0 where it counts none."""
    return len(record.get("counts") or record.get("recall") or ())


def _json(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 100_000


def _names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(x, str) for x in value)


def _is_curve(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    parts = [value.get(name) for name in ("lam", "l1", "utility")]
    if not all(isinstance(part, list) and part and all(map(is_number, part)) for part in parts):
        return False
    return len({len(part) for part in parts if part}) == 1 and max(parts[0] or ()) > 0


CONFIG: tuple[tuple[tuple[str, ...], str, Callable[[Any], bool]], ...] = (
    (("dataset", "scheme", "profile", "head", "backbone"), "text", lambda v: isinstance(v, str)),
    (("seeds", "cycles", "initial", "budget", "epochs", "num_classes"), "a number from 0 to 99,999", _whole),
    (("budgets",), "a list of numbers from 0 to 99,999", lambda v: isinstance(v, list) and all(map(_whole, v))),
    (("first_seed",), "a number from 0 to 2**32 - 1", lambda v: type(v) is int and 0 <= v < 2**32),
    (("strategies", "selections"), "a list of names", _names),
    (
        ("minority",),
        "text or a list of classes",
        lambda v: isinstance(v, str) or (isinstance(v, list) and all(map(_whole, v))),
    ),
    (("minority_ratio", "minority_share", "source_ratio"), "a number", is_number),
    (("lam",), "a number or text", lambda v: is_number(v) or isinstance(v, str)),
)
