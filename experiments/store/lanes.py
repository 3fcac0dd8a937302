"""Files that the units of a run append to while others follow them: lines of JSON, each file held by one worker."""

import contextlib
import fcntl
import json
import os
import pathlib
import platform
from collections.abc import Iterator, Sequence

FOLDER = "lanes"  # of a workdir


@contextlib.contextmanager
def held(path: pathlib.Path) -> Iterator[None]:
    """Holds a unit's file for this process; waits for a worker that an earlier part of the run left at it."""
    with path.with_suffix(".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        print(platform.node(), os.getpid(), file=lock, flush=True)
        yield


def busy(folder: pathlib.Path) -> list[str]:
    """Where units of the run in a workdir are at work: "NAME (HOST PID)" of each."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.lock")):
        with path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found.append(f"{path.stem} ({lock.read().strip()})")
    return found


def new_lines(paths: Sequence[pathlib.Path], offsets: dict[pathlib.Path, int]) -> list[tuple[pathlib.Path, dict]]:
    """What was appended to files of JSON lines since the last call, each with its file; `offsets` is moved on.

    A file is opened anew each time, as a network file system shows what others wrote only then.
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
            offsets[path] = offsets.get(path, 0) + len(whole) + 1
            found += [(path, json.loads(line)) for line in whole.splitlines()]
    return found


def drop_half_line(path: pathlib.Path) -> None:
    """Cuts off what a killed worker left of a line."""
    if path.exists():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
