"""Files that the units of a run append to while others follow them: lines of JSON, each file held by one worker."""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import platform
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

from experiments.store import files

FOLDER = "lanes"  # of a workdir
PATIENCE_S = 2.0  # that a worker whose run was killed has to end, before it is spoken of


class Line(NamedTuple):
    """What a cycle brings."""

    records: list[dict]
    timing: dict | None  # None for records that a checkpoint held


@contextlib.contextmanager
def held(path: pathlib.Path) -> Iterator[None]:
    """Holds a unit's file for this process; waits for a worker that an earlier part of the run left, and says so."""
    with files.open_here(path.with_suffix(".lock"), "a+") as lock:
        if not taken(lock, PATIENCE_S):
            print(
                f"waiting for {path.stem}: {holder(lock)} has it; end that process to go on",
                file=sys.stderr,
                flush=True,
            )
            fcntl.flock(lock, fcntl.LOCK_EX)
        sign(lock)
        yield


def busy(folder: pathlib.Path, patience: float = 0.0) -> list[str]:
    """Where units of the run in a workdir are at work: "NAME (process PID on HOST since TIME)" of each.

    Args:
      folder: the workdir.
      patience: seconds to wait for them.
    """
    found, end = [], time.monotonic() + patience
    for path in sorted((folder / FOLDER).glob("*.lock")):
        with files.open_here(path, "a+") as lock:
            if not taken(lock, end - time.monotonic()):
                found.append(f"{path.stem} ({holder(lock)})")
    return found


def taken(lock: IO[Any], patience: float = 0.0) -> bool:
    """Whether this process could lock a file, within so many seconds; OSError where its folder knows no locks."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}; it must be on a file system with locks", lock.name) from None


def sign(lock: IO[str]) -> None:
    """Writes into a lock file that this process has it, and since when."""
    lock.truncate(0)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    print(platform.node(), os.getpid(), now, file=lock, flush=True)


def holder(lock: IO[str]) -> str:
    """Who has a lock file, as it says itself."""
    lock.seek(0)
    words = lock.read(1000).split()
    return f"process {words[1]} on {words[0]} since {words[2]}" if len(words) == 3 else "a process that left no name"


def append(path: pathlib.Path, line: Line) -> None:
    """Adds what a cycle brings to a unit's file, with a checksum."""
    files.append_json_line(path, {"records": line.records, "timing": line.timing, "crc": _crc(line)})


def new_lines(paths: Sequence[pathlib.Path], offsets: dict[pathlib.Path, int]) -> list[tuple[pathlib.Path, Line]]:
    """What was appended to units' files since the last call, each with its file; `offsets` is moved on.

    A file is opened anew each time, as a network file system shows what others wrote only then.

    Raises:
      ValueError: a line is damaged; names file and line.
    """
    found = []
    for path in paths:
        try:
            with path.open("rb") as file:
                file.seek(offsets.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            continue
        if whole:
            before = offsets.get(path, 0)
            offsets[path] = before + len(whole) + 1
            found += [(path, _line(path, before, number, line)) for number, line in enumerate(whole.split(b"\n"), 1)]
    return found


def _line(path: pathlib.Path, before: int, number: int, text: bytes) -> Line:
    place = f" after byte {before}" if before else ""
    try:
        row = files.read_line(path, number, text)
        line = Line(row["records"], row["timing"])
        if row["crc"] == _crc(line):
            return line
        reason = "its checksum is another one"
    except (ValueError, KeyError) as error:
        reason = str(error)
    raise ValueError(
        f"{path}, line {number}{place}: damaged ({reason}); delete the file, its unit goes on from the checkpoint"
    )


def _crc(line: Line) -> int:
    return zlib.crc32(json.dumps(line).encode())
