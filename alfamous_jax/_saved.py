"""Arrays and what is said about them in one `.npz` file: written whole or not at all, read without unpickling."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from alfamous_jax.core.files import replacing
from alfamous_jax.datasets import npz


def write(
    path: str | os.PathLike[str], version: int, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Writes arrays and, as JSON, what is said about them."""
    text = np.frombuffer(json.dumps({"version": version, **about}).encode(), np.uint8)
    with replacing(pathlib.Path(path)) as file:
        np.savez(file, about=text, **arrays)  # type: ignore[arg-type]


def read(path: str | os.PathLike[str], kind: str, version: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write` wrote.

    Args:
      path: of the file.
      kind: what it is to hold, in messages.
      version: that is understood.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is none of this kind.
    """
    arrays = npz.read(path)
    try:
        about = json.loads(arrays.pop("about").tobytes())
        found = about.pop("version")
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: not a saved {kind}, it holds {', '.join(arrays) or 'nothing'}") from error
    if found != version:
        raise ValueError(f"{path}: a {kind} of version {found}, expected {version}")
    return about, arrays
