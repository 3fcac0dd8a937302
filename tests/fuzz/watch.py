"""Tries one after the other in a process of their own: one that dies or says nothing is told of, and the rest go on."""

import importlib
import multiprocessing
import pathlib
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

READ, REFUSED = "read", "refused"
KEPT = (READ, REFUSED)
SECONDS = 10.0  # without a word
MEMORY = 1 << 20  # kilobytes that one try may add to the largest size of its process
DOCUMENTED = (ValueError, FileNotFoundError)


class Tried(NamedTuple):
    """What came of a try."""

    number: int
    kind: str
    outcome: str  # one of KEPT, or what is wrong


def tries(module: str, kinds: Sequence[str], numbers: range, seconds: float) -> Iterator[Tried]:
    """Runs tries until the time is over, each kind in turn.

    Args:
      module: with `trial(kind, rng, folder) -> outcome`.
      kinds: of the inputs.
      numbers: of the tries; each seeds its own draws.
      seconds: how long.
    """
    context, numbers_left = multiprocessing.get_context("spawn"), iter(numbers)
    end, worker = time.monotonic() + seconds, None
    try:
        while time.monotonic() < end and (number := next(numbers_left, None)) is not None:
            kind = kinds[number % len(kinds)]
            if worker is None:
                ours, theirs = context.Pipe()
                worker = context.Process(target=_work, args=(module, theirs), daemon=True)
                worker.start()
                theirs.close()
                ours.recv()  # once everything is imported
            ours.send((kind, number))
            try:
                outcome = ours.recv() if ours.poll(SECONDS) else f"silent: nothing came for {SECONDS:g} seconds"
            except (EOFError, ConnectionError):
                worker.join()
                outcome = f"died: exit code {worker.exitcode}"
            if outcome.split(":")[0] in ("silent", "died"):
                worker.kill()
                worker = None
            yield Tried(number, kind, outcome)
    finally:
        if worker is not None:
            worker.kill()


def one(trial: Callable, kind: str, number: int) -> str:
    """A try in this process, in a folder of its own beside one that nobody may touch."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder, outside = pathlib.Path(name) / "inside", pathlib.Path(name) / "outside"
        folder.mkdir()
        outside.mkdir()
        (outside / "kept").write_text("kept")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with warnings.catch_warnings(action="ignore"):
            outcome = trial(kind, np.random.default_rng(number), folder)
        if [path.name for path in outside.iterdir()] != ["kept"] or (outside / "kept").read_text() != "kept":
            return "wrote: outside of the target"
        if (grown := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) > MEMORY:
            return f"large: {grown >> 10} MB more memory"
        return outcome


def judged(read: Callable[[], object], target: pathlib.Path, writes: bool = False) -> str:
    """What comes of a reader: its answer, or an error of a documented kind, in one line that names the file.

    Args:
      read: reads the target.
      target: whose folder must be left as it is.
      writes: whether the target is what is written, there whole or not at all.
    """
    before = _seen(target.parent)
    try:
        read()
        outcome = READ
    except DOCUMENTED as error:
        text = str(error)
        outcome = REFUSED
        if "\n" in text or len(text) > 2000:
            outcome = f"message: of {len(text)} characters, {text.count(chr(10)) + 1} lines: {text[:200]!r}"
        elif target.name.split(".")[0] not in text and str(target.parent) not in text:
            outcome = f"message: names no file: {text[:200]!r}"
    except BaseException as error:
        outcome = f"traceback: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    after = _seen(target.parent)
    if writes and outcome == READ:
        after.pop(target.name, None)
    return outcome if before == after else f"wrote: {sorted(before.keys() ^ after.keys()) or 'a file was changed'}"


def _seen(folder: pathlib.Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        found[str(path.relative_to(folder))] = facts.st_size, facts.st_mtime_ns
    return found


def _work(module: str, pipe) -> None:
    trial = importlib.import_module(module).trial
    pipe.send("ready")
    while True:
        try:
            kind, number = pipe.recv()
        except EOFError:
            return
        pipe.send(one(trial, kind, number))
