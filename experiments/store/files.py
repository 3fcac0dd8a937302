"""Files on disk: written whole or not at all; JSON and JSON lines, read with errors that name file and line."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator

from experiments.store.naming import named


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary name to write to, renamed to the path when the block ends, so that a file is never half there."""
    temporary = path.with_name(path.name + ".tmp")
    with named(path):
        yield temporary
        os.replace(temporary, path)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, replaced at once."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value: dict) -> None:
    """Writes a JSON file, keys in the order given."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_json_lines(path: pathlib.Path, records: list[dict]) -> None:
    """Writes one JSON object per line."""
    write_text(path, "".join(json.dumps(record, allow_nan=False) + "\n" for record in records))


def append_json_line(path: pathlib.Path, record: dict) -> None:
    """Adds one JSON object to a file of lines."""
    with named(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_json(path: pathlib.Path) -> dict:
    """The object in a JSON file, empty if there is no file; ValueError names the file that holds none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def read_json_lines(path: pathlib.Path) -> list[dict]:
    """One object per line, none if there is no file; ValueError names the file and the line that is none."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error.msg} at column {error.colno})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: not a JSON object")
        rows.append(row)
    return rows
