"""Whether two configs are of one experiment, also where one was written before a field was thought of."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from configs.base import get_base


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Fields whose values differ.

    A field that one of them lacks has the value of `configs/base.py`, at which a new one changes nothing.

    Args:
      one, other: configs as files have them, or as a run does.

    Yields:
      the field and both values, as JSON has them, in the order of the fields' names.
    """
    base, first, second = (json.loads(json.dumps(config)) for config in (get_base().to_dict(), one, other))
    for field in sorted(first.keys() | second.keys()):
        known = base.get(field)
        then, now = (config.get(field, known) for config in (first, second))
        if all(isinstance(value, dict) for value in (known, then, now)):
            then, now = known | then, known | now
        if then != now:
            yield field, then, now
