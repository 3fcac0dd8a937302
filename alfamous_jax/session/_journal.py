"""A journal: what a session keeps on disk while it goes on, a line for every answer."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

VERSION = 1


class Journal:
    """A file of lines: what the session is, then an answer each, which is on the disk before its call ends."""

    def __init__(self, path: pathlib.Path) -> None:
        """Takes a path at which there may be a journal."""
        self.path, self.size = path, 0

    def read(self, about: Mapping[str, Any]) -> list[Any]:
        """The answers that are there; starts the file if it is not.

        Args:
          about: what the session is; has to be what it was.

        Returns:
          a value for each line. A last line that was cut off while it was written is taken off the file: the call that
          wrote it never ended.

        Raises:
          ValueError: it is the journal of something else, or damaged before its last line.
        """
        wanted = json.loads(json.dumps({"journal": VERSION, **about}))
        try:
            text = self.path.read_bytes() if self.path.exists() else b""
            whole = text[: text.rfind(b"\n") + 1]
            if not whole and text[:9] == b'{"journal'[: len(text)]:
                self.path.write_bytes(b"")
                self.add(wanted)
                return []
            values = [self._value(line, number) for number, line in enumerate(whole.splitlines(), start=1)]
            first = values[0] if values and isinstance(values[0], dict) else {}
            if "journal" not in first:
                raise ValueError(f"journal {self.path}: holds something else, {text[:60]!r}")
            for name, value in wanted.items():
                if first.get(name) != value:
                    was = str(first.get(name))[:80]
                    raise ValueError(f"journal {self.path}: {name} was {was}, is {str(value)[:80]}; name another file")
            if len(whole) < len(text):
                os.truncate(self.path, len(whole))
        except OSError as error:
            raise ValueError(f"journal {self.path}: {error.strerror}") from error
        self.size = len(whole)
        return values[1:]

    def add(self, value: Any) -> None:
        """One more line, on the disk when this returns; where it cannot be, the file stays as it was.

        Raises:
          ValueError: another session has written to the file.
          OSError: the disk is full, or gone.
        """
        with self.path.open("ab") as file:
            if file.tell() != self.size:
                raise ValueError(f"journal {self.path}: another session writes to it; begin this one anew")
            try:
                file.write(json.dumps(value, allow_nan=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, self.size)
                raise
            self.size = file.tell()

    def _value(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise ValueError(f"journal {self.path}, line {number}: not JSON, {line[:60]!r}") from None
