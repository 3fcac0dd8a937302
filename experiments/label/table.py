"""The file of labels, columns row and label: read as text, written whole after each answer, never over others' work."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from alfamous_jax.core.files import replacing

HEADER = ("row", "label")


class Table:
    """A CSV file that follows a session."""

    def __init__(self, path: pathlib.Path) -> None:
        """Takes the path of a file that may be there."""
        self.path = path
        self._seen: tuple[int, ...] | None = None

    def read(self) -> dict[int, str]:
        """Row -> label, as they stand there; nothing if there is no file.

        Raises:
          ValueError: it is no such table; names the line.
        """
        self._seen = self._stamp()
        try:
            text = self.path.read_text(encoding="utf-8-sig") if self._seen else ""
            lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{self.path}: not a readable table ({' '.join(str(error).split())})") from None
        header = [cell.strip().lower() for cell in lines[0]] if lines else list(HEADER)
        if sorted(header) != sorted(HEADER):
            raise ValueError(f"{self.path}: must have the columns row and label and no others, got {', '.join(header)}")
        found: dict[int, str] = {}
        for number, line in enumerate(lines[1:], start=2):
            if not line:
                continue
            where = f"{self.path}, line {number}"
            cells = dict(zip(header, line, strict=False))
            row, label = cells.get("row", "").strip(), cells.get("label", "")
            if len(line) != len(HEADER) or not row.isdecimal() or not row.isascii() or not label:
                raise ValueError(f"{where}: expected the number of a row and its label, got {','.join(line)[:80]!r}")
            if int(row) in found:
                raise ValueError(f"{where}: row {row} is there twice")
            found[int(row)] = label
        return found

    def check(self) -> None:
        """Refuses to go on where somebody else has written to the file since.

        Raises:
          ValueError: the file is another.
        """
        if self._stamp() != self._seen:
            raise ValueError(
                f"{self.path} was changed by another program; nothing was written over it. The answers so far are in "
                "the journal: stop this command, move the file away and start it again"
            )

    def write(self, labels: Mapping[int, str]) -> None:
        """Puts all labels into the file, on the disk when this returns; it is never half there."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([HEADER, *labels.items()])
        with replacing(self.path) as file:
            file.write(text.getvalue().encode())
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, ...] | None:
        """What changes when the file does, None where there is none."""
        try:
            about = os.stat(self.path)
        except FileNotFoundError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns


def told(journal: pathlib.Path) -> tuple[dict[str, Any], dict[int, str], dict[int, str]]:
    """What a session's journal says, read before the session is begun.

    A kill may fall between a line of the journal and the file of labels, which then is one line behind.

    Args:
      journal: its path; nothing need be there.

    Returns:
      the settings in its first line, {} where there is none; the labels after all lines; and those before the last
      line that changed any, which that of a fit or of a draw for the audit may follow. What is no journal is left to
      the session to refuse, and comes back as nothing.
    """
    try:
        lines = journal.read_bytes().split(b"\n")[:-1]
        head, *values = [json.loads(line) for line in lines]
        first = {int(row): str(name) for row, name in head["labels"]}
        changes = [place for place, value in enumerate(values) if value.get("what") in (None, "label", "relabel")]
        return head, _labels(first, values), _labels(first, values[: max(changes, default=0)])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}, {}


def _labels(first: Mapping[int, str], values: list[Any]) -> dict[int, str]:
    """The labels after some lines: each answer is a step, and an undo takes steps back."""
    steps: list[dict[int, str]] = []
    for value in values:
        if "undo" in value:
            del steps[len(steps) - value["undo"] :]
        elif value["what"] in ("label", "relabel"):
            steps.append(dict(zip(value["rows"], value["labels"], strict=True)))
        elif value["what"] in ("skip", "class"):
            steps.append({})
    labels = dict(first)
    for step in steps:
        labels |= step
    return labels
