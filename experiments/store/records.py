"""What a run tells of itself: its records and its progress."""

import pathlib
import time
from collections.abc import Callable, KeysView, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from experiments.store import files

WRITE_EVERY_S = 5.0


class Recorder:
    """Collects the records of all lanes, in whatever order they come, and shows how far the run is."""

    def __init__(
        self,
        folder: pathlib.Path,
        place: Callable[[dict], tuple],
        weight: Callable[[dict], int],
        total: int,
        console: Console,
    ):
        """Reads what an earlier part of the run recorded, but for a last line that was cut, and writes nothing.

        See `plan.work.Plan` for the arguments. ValueError, with file and line, for what is none of this run's.
        """
        self._folder, self._place, self._weight = folder, place, weight
        self._last_write = time.monotonic()
        metrics, timings = folder / "metrics.jsonl", folder / "timings.jsonl"
        self._records: dict[tuple, dict] = _read(metrics, place, "it is made again from the checkpoints")
        self._shown: set[tuple] = set()
        self._timed = set(_read(timings, _cycle, "nothing but times is lost"))
        self._bar = progress(console)
        self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> "Recorder":
        """Shows the bar."""
        files.drop_half_line(self._folder / "timings.jsonl")
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leaves `metrics.jsonl` complete, however the run ended."""
        self._bar.stop()
        self._write()

    def add(self, records: list[dict], timing: dict | None) -> None:
        """Takes the records of a cycle, once or again; `metrics.jsonl` follows every few seconds."""
        for key in sorted(self._keep(records) - self._shown):
            self._shown.add(key)
            record = self._records[key]
            lane = f"{record['strategy']} seed {record['seed']}"
            score = "-" if record["macro_f1"] is None else f"{record['macro_f1']:.3f}"
            text = f"{lane}: cycle {record['cycle']}, macro F1 {score}"
            self._bar.update(self._task, advance=self._weight(record), description=text)
        if timing is not None and _cycle(timing) not in self._timed:
            self._timed.add(_cycle(timing))
            files.append_json_line(self._folder / "timings.jsonl", timing)
        if time.monotonic() - self._last_write > WRITE_EVERY_S:
            self._write()

    def _keep(self, records: list[dict]) -> KeysView[tuple]:
        new = {self._place(record): record for record in records}
        self._records |= new
        return new.keys()

    def _write(self) -> None:
        if not self._records:
            return
        files.write_json_lines(self._folder / "metrics.jsonl", [self._records[key] for key in sorted(self._records)])
        self._last_write = time.monotonic()


def progress(console: Console) -> Progress:
    """A bar with an estimate of what is left; silent where the output is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _read(path: pathlib.Path, place: Callable[[dict], tuple], loss: str) -> dict[tuple, dict]:
    """The whole lines of a file by what they are of; a ValueError says what deleting the file costs."""
    try:
        rows = files.read_json_lines(path, whole=True)
        found = {}
        for number, row in enumerate(rows, start=1):
            try:
                found[place(row)] = row
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{error}; delete the file, {loss}") from None
    return found


def check_seconds(timing: Mapping[str, Any]) -> None:
    """Refuses a line of `timings.jsonl` whose times are no numbers."""
    if not all(files.is_number(value) for name, value in timing.items() if name.endswith("_s")):
        raise ValueError("what ends in _s must be seconds")


def _cycle(timing: dict) -> tuple:
    strategy, seeds, cycle = (timing.get(field) for field in ("strategy", "seeds", "cycle"))
    if not isinstance(strategy, str) or not isinstance(seeds, list) or any(type(x) is not int for x in (*seeds, cycle)):
        raise ValueError("needs strategy, seeds and cycle")
    check_seconds(timing)
    return strategy, tuple(seeds), cycle
