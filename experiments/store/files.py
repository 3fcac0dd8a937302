"""Files on disk: written whole or not at all; JSON and JSON lines, read with errors that name file and line."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import IO, Any

from alfamous_jax.core import files as core
from experiments.store.naming import named

TEMPORARY = ".tmp"  # as `core.files` ends them
LITTER = {"Thumbs.db", "desktop.ini", ".DS_Store"}  # of file managers
LITTER_STARTS = (".nfs", "._")  # what a network file system keeps of open files, and what macOS adds to files
MOST_WHOLE = 2**53  # of a whole number, which a float still tells from the next


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of the path when the block ends, so that one is never half there.

    It lies beside the path under a name that nobody can foresee and is created as a new file, so that no link is
    followed; file and folder are on the disk before the block is left. An error leaves what was there.
    """
    with named(path), core.replacing(path) as file:
        yield file


def drop_temporaries(folder: pathlib.Path, names: tuple[str, ...]) -> None:
    """Deletes what a killed process left half written of some files of a folder that this process holds."""
    for name in names:
        for path in folder.glob(f"{name}.{'[0-9a-f]' * 8}{TEMPORARY}"):
            path.unlink()


def is_litter(name: str) -> bool:
    """Whether a file is none of anybody's, but of a file manager or of a network file system."""
    return name in LITTER or name.startswith(LITTER_STARTS)


def open_here(path: pathlib.Path, mode: str) -> IO[Any]:
    """Opens a file to append to or to lock, made if absent; a link in its place is refused, not followed."""
    try:
        return open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o666))
    except OSError:
        if path.is_symlink():
            raise ValueError(f"{path}: is a link to another file; delete it") from None
        raise


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, replaced at once."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: pathlib.Path, value: dict) -> None:
    """Writes a JSON file, keys in the order given."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_json_lines(path: pathlib.Path, records: list[dict]) -> None:
    """Writes one JSON object per line."""
    write_text(path, "".join(json.dumps(record, allow_nan=False) + "\n" for record in records))


def append_json_line(path: pathlib.Path, record: dict) -> None:
    """Adds one JSON object to a file of lines."""
    with named(path), open_here(path, "ab") as file:
        file.write(json.dumps(record).encode() + b"\n")


def is_number(value: object) -> bool:
    """Whether what a file holds is a float, or a whole number that can be one."""
    return type(value) is float or (type(value) is int and abs(value) < MOST_WHOLE)


def read_json(path: pathlib.Path) -> dict:
    """The object in a JSON file, empty if there is no file; ValueError names the file that holds none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def read_json_lines(path: pathlib.Path, *, whole: bool = False) -> list[dict]:
    """One object per line, none if there is no file; ValueError names the file and the line that is none.

    Args:
      path: of the file.
      whole: leave out a last line without its end, which a writer was kept from finishing.
    """
    if not path.is_file():
        return []
    content = path.read_bytes()
    if whole:
        content = content[: content.rfind(b"\n") + 1]
    return [read_line(path, number, line) for number, line in enumerate(content.splitlines(), start=1)]


def read_line(path: pathlib.Path, number: int, line: bytes) -> dict:
    """The object in a line of a file; ValueError names both where it holds none."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {number}: not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}, line {number}: not JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError(f"{path}, line {number}: not a JSON object")
    return row


def drop_half_line(path: pathlib.Path) -> None:
    """Cuts off what a killed process left of a last line."""
    if path.exists():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
