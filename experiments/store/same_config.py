"""Configs that were written before a field was thought of: whole again, and whether two are of one experiment."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from configs.base import get_base


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with what it lacks as `configs/base.py` has it, where a field that came later changes nothing.

    Args:
      config: as a file has it, or a run; a field that holds fields (`vabal`) may lack some of its own.
    """
    known = get_base().to_dict()
    return known | {
        field: known[field] | value if isinstance(value, dict) and isinstance(known.get(field), dict) else value
        for field, value in config.items()
    }


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Fields whose values differ, those that one of them lacks as `completed` has them.

    Args:
      one, other: configs as files have them, or as a run does.

    Yields:
      the field and both values, as JSON has them, in the order of the fields' names.
    """
    first, second = (json.loads(json.dumps(completed(config))) for config in (one, other))
    for field in sorted(first.keys() | second.keys()):
        then, now = first.get(field), second.get(field)
        if then != now:
            yield field, then, now
