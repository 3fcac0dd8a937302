"""Reads the tables of published numbers: CSV with a header, after lines of comment that say where they stand."""

import csv
import pathlib

FOLDER = pathlib.Path(__file__).parent


def rows(name: str) -> list[dict[str, str]]:
    """The lines of a table in this folder, column -> text."""
    with (FOLDER / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))
