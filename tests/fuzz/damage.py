"""What happens to bytes: bits flipped, parts cut out, doubled, overwritten; and other things in their place."""

import os
import pathlib
import socket

import numpy as np

SPECIAL = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\t",
    b",",
    b'"',
    b"#",
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"9" * 60,
    b"\\",
    b"[]",
]
SPECIAL += [
    b"PK\3\4",
    b"PK\1\2",
    b"PK\5\6",
    b"\x93NUMPY\1\0",
    b"\xef\xbb\xbf",
    b"II*\0",
    b"\x89PNG",
    b"../",
    b"\x7f\xff\xff\xff",
]


def broken(content: bytes, rng: np.random.Generator, most: int = 4) -> bytes:
    """A few of the things above, one after the other."""
    for _ in range(rng.integers(1, most + 1)):
        content = _once(content, rng)
    return content


def _once(content: bytes, rng: np.random.Generator) -> bytes:
    size = len(content)
    start, length = int(rng.integers(0, size + 1)), int(rng.integers(1, 1 + max(1, min(64, size))))
    how = rng.integers(0, 9)
    if how == 0:  # cut off
        return content[:start]
    if how == 1:  # a part is missing
        return content[:start] + content[start + length :]
    if how == 2:  # a part is there twice
        return content[:start] + content[start : start + length] * int(rng.integers(2, 5)) + content[start + length :]
    if how == 3:  # noise
        return content[:start] + rng.bytes(length) + content[start + length :]
    if how == 4:  # something that means something
        word = SPECIAL[rng.integers(len(SPECIAL))]
        return content[:start] + word + content[start + rng.integers(0, 2) * len(word) :]
    if how == 5 and size > 4:  # a number of four bytes is another one
        number = int(rng.choice([0, 1, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1])).to_bytes(4, "little")
        return content[: start - start % 4] + number + content[start - start % 4 + 4 :]
    if how == 6 and size:  # digits are other digits
        digits = [i for i in range(min(size, 4096)) if content[i : i + 1].isdigit()]
        for i in rng.choice(digits, min(3, len(digits)), replace=False) if digits else []:
            content = content[:i] + str(rng.integers(10)).encode() + content[i + 1 :]
        return content
    flipped = bytearray(content)  # single bits
    for i in rng.integers(0, max(size, 1), 3 if size else 0):
        flipped[i] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def replaced(path: pathlib.Path, rng: np.random.Generator) -> None:
    """Something that is no file under the name of one."""
    path.unlink(missing_ok=True)
    how = rng.integers(0, 5)
    if how == 0:
        path.mkdir()
    elif how == 1:
        os.mkfifo(path)
    elif how == 2:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(path))
    else:
        path.symlink_to([path.name, "/dev/zero", "nowhere"][rng.integers(3)])
