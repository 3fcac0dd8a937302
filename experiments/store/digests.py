"""Digests that tell whether something is what it was."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGITS = 32  # of the 64 of SHA-256
CHUNK = 1 << 24  # bytes read at a time of an array that lies in a file


def of(arrays: Mapping[str, Any], *texts: str) -> str:
    """The first 32 digits of a SHA-256 over arrays, with name, type and shape of each, and over texts.

    Args:
      arrays: name -> array; the rows of one that is mapped from a file are read in passing.
      texts: anything else.

    Returns:
      hexadecimal digits; a different array, name, type, shape or text gives other ones.
    """
    digest = hashlib.sha256()
    for name, values in arrays.items():
        array = np.asanyarray(values)
        digest.update(f"{name!r} {array.dtype.str} {array.shape}\n".encode())
        rows = array.reshape(1) if array.ndim == 0 else array
        step = max(1, CHUNK // max(1, rows[:1].nbytes))
        for start in range(0, len(rows), step):
            digest.update(rows[start : start + step].tobytes())
    for text in texts:
        digest.update(f"{len(text)} {text}\n".encode())
    return digest.hexdigest()[:DIGITS]


def of_file(path: pathlib.Path) -> str:
    """The SHA-256 of the bytes of a file, all 64 digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
