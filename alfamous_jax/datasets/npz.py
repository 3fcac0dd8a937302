"""Arrays out of `.npz` and `.npy` files, never unpickled: whatever is wrong with a file is one line that names it.

Nothing is made room for before the header of an array agrees with the bytes that are there.
"""

import math
import os
import pathlib
import zipfile
from typing import IO, Any

import numpy as np

from alfamous_jax.datasets import regular
from alfamous_jax.datasets.labels import short

ARRAY = b"\x93NUMPY"  # how an array begins, in a file of its own or in an archive
ARCHIVE = b"PK"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Every array of an `.npz` file, by its name; members that are no `.npy` files are passed over.

    Args:
      path: of the file.

    Returns:
      name -> array, in the order of the file.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, is no archive or a damaged one, holds an array of Python objects or one name twice,
        or would not fit in memory.
    """
    arrays, place = {}, ""
    try:
        regular.check(path)
        with pathlib.Path(path).open("rb") as file:
            _refuse_what_is_no_archive(file)
            with zipfile.ZipFile(file) as archive:
                members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
                regular.check_room(sum(member.file_size for member in members))
                for member in members:
                    name = member.filename.removesuffix(".npy")
                    place = f"{short(name)}: "
                    if name in arrays:
                        raise ValueError("there are two of this name")
                    with archive.open(member) as content:
                        _check_header(content, member.file_size)
                    with archive.open(member) as content:
                        arrays[name] = _plain_array(content)
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
      ValueError: it cannot be read, is damaged, is no array or one of Python objects, or would not fit in memory.
    """
    try:
        regular.check(path)
        with pathlib.Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            _check_header(file, size)
            if mapped:
                return np.lib.format.open_memmap(os.fspath(path), mode="r")
            regular.check_room(size)
            file.seek(0)
            return _plain_array(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except Exception as error:  # as above
        raise ValueError(f"{path}: not a readable .npy file of a plain array ({_reason(error)})") from error


def _check_header(file: IO[bytes], size: int) -> None:
    """Refuses a header that does not say what a file or member of so many bytes can hold."""
    if (start := file.read(len(ARRAY))) != ARRAY:
        raise ValueError(
            "it is empty"
            if not start
            else "it is an archive, an .npz file under another name"
            if start.startswith(ARCHIVE)
            else "it is no array"
        )
    version = tuple(file.read(2))
    if version not in HEADERS:
        raise ValueError(f"its header is of version {'.'.join(map(str, version)) or 'none'}, expected 1.0 or 2.0")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    if not dtype.itemsize or any(length < 0 for length in shape):
        raise ValueError(f"its header says {dtype} {shape}, which no array is")
    wanted, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if wanted != found:
        how = "ends before" if found < wanted else "goes on after"
        raise ValueError(f"it {how} the {_size(wanted)} bytes of {dtype} {shape} in its header")


def _plain_array(file: IO[bytes]) -> np.ndarray:
    array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    file.read(1)  # the end of a member, where its checksum is looked at
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _size(number: int) -> Any:
    """A number of bytes, by its power of ten where it has more digits than anybody reads."""
    return number if number < 10**18 else f"1e{len(str(number)) - 1}"


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
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return short(" ".join(str(error).split()), 200) or type(error).__name__
