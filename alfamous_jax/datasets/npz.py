"""Arrays out of `.npz` and `.npy` files, never unpickled: whatever is wrong with a file is one line that names it."""

import os
import pathlib
import zipfile
from typing import IO

import numpy as np

ARRAY = b"\x93NUMPY"  # how an array begins, in a file of its own or in an archive
ARCHIVE = b"PK"


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Every array of an `.npz` file, by its name; members that are no `.npy` files are passed over.

    Args:
      path: of the file.

    Returns:
      name -> array, in the order of the file.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, is no archive or a damaged one, or holds an array of Python objects.
    """
    arrays, place = {}, ""
    try:
        with pathlib.Path(path).open("rb") as file:
            _refuse_what_is_no_archive(file)
            with zipfile.ZipFile(file) as archive:
                for member in archive.namelist():
                    place = f"{member.removesuffix('.npy')}: "
                    if member.endswith(".npy"):
                        with archive.open(member) as content:
                            arrays[member.removesuffix(".npy")] = _plain_array(content)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except Exception as error:  # zipfile, its decompressors and NumPy raise a dozen kinds between them
        raise ValueError(f"{path}: not a readable .npz file of plain arrays ({place}{_reason(error)})") from error
    return arrays


def read_array(path: str | os.PathLike[str], *, mapped: bool = False) -> np.ndarray:
    """The array of an `.npy` file.

    Args:
      path: of the file.
      mapped: whether its rows stay in the file and are read where they are used.

    Returns:
      the array, read-only where it is mapped.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, is damaged, or is no array or one of Python objects.
    """
    try:
        if mapped:
            return np.lib.format.open_memmap(os.fspath(path), mode="r")
        with pathlib.Path(path).open("rb") as file:
            return _plain_array(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except Exception as error:  # as above
        raise ValueError(f"{path}: not a readable .npy file of a plain array ({_reason(error)})") from error


def _plain_array(file: IO[bytes]) -> np.ndarray:
    array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    if file.read(1):
        raise ValueError(f"it goes on after the {array.nbytes} bytes of {array.dtype} {array.shape} in its header")
    return array


def _refuse_what_is_no_archive(file: IO[bytes]) -> None:
    start = file.read(len(ARRAY))
    if zipfile.is_zipfile(file):
        return
    if not start:
        raise ValueError("it is empty")
    if start == ARRAY:
        raise ValueError("it is a single array, an .npy file under another name")
    raise ValueError("it is cut off or damaged" if start.startswith(ARCHIVE) else "it is no zip archive")


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return " ".join(str(error).split()) or type(error).__name__
