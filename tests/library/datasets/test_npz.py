"""Arrays out of files, and one line for each kind of damage."""

import io
import os
import pathlib
import socket
import sys
import warnings
import zipfile

import numpy as np
import pytest

from alfamous_jax.datasets import npz, regular

ARRAYS = {"x": np.arange(600.0).reshape(200, 3), "names/y": np.arange(200), "text": np.array(["a", "bc"])}


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape, dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def as_npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def archive(content, member="x.npy", claims=0, **settings):
    """An archive of one member, whose directory may claim that it unpacks to more."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **settings) as written:
        written.writestr(member, content)
        written.getinfo(member).file_size = claims or len(content)
    return file.getvalue()


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """What is free: 8 GB."""
    monkeypatch.setattr(regular, "room", lambda: 8 * 10**9)


def twice(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written, warnings.catch_warnings(action="ignore"):
        written.writestr("x.npy", content)
        written.writestr("x.npy", content)
    return file.getvalue()


def overwritten(content, start):
    return content[:start] + b"\xff" * 20 + content[start + 20 :]


def with_unknown_compression(content):
    """The method in both headers of the one member set to a number that nobody uses."""
    central = content.index(b"PK\x01\x02")
    changed = bytearray(content)
    changed[8:10] = changed[central + 10 : central + 12] = b"\x63\x00"
    return bytes(changed)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    for path in (tmp_path / "a.npz", str(tmp_path / "a.npz")):
        found = npz.read(path)
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


def test_what_is_no_array_is_passed_over(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("licence.txt", "free")
    assert list(npz.read(path)) == ["x"]


DAMAGED = {
    "empty": (b"", "(it is empty)"),
    "text": (b"1,2,3\n", "(it is no zip archive)"),
    "begins like an archive": (b"PK\x03\x04 not a zip", "(it is cut off or damaged)"),
    "cut off": (as_npz(**ARRAYS)[:-30], "(it is cut off or damaged)"),
    "half": (as_npz(**ARRAYS)[:300], "(it is cut off or damaged)"),
    "one array": (as_npy(ARRAYS["x"]), "(it is a single array, an .npy file under another name)"),
    "compressed bytes": (overwritten(as_npz(**ARRAYS), 100), "(x: "),
    "stored bytes": (overwritten(archive(as_npy(ARRAYS["x"])), 400), "(x: Bad CRC-32 for file 'x.npy')"),
    "compression": (with_unknown_compression(archive(as_npy(ARRAYS["x"]))), "(x: That compression method is not"),
    "objects": (
        as_npz(x=np.array([{}, None], dtype=object)),
        "(x: it holds Python objects, which are never unpickled)",
    ),
    "no array": (archive(b"no array"), "(x: it is no array)"),
    "no header": (archive(as_npy(ARRAYS["x"])[:20]), "(x: EOF: "),
    "a later version": (
        archive(as_npy(ARRAYS["x"]).replace(b"NUMPY\1", b"NUMPY\3", 1)),
        "(x: its header is of version 3.0, expected 1.0 or 2.0)",
    ),
    "fewer rows": (
        archive(as_npy(ARRAYS["x"])[:-8]),
        "(x: it ends before the 4800 bytes of float64 (200, 3) in its header)",
    ),
    "more rows": (
        archive(as_npy(ARRAYS["x"]) + b"0"),
        "(x: it goes on after the 4800 bytes of float64 (200, 3) in its",
    ),
    "rows beyond memory": (
        archive(header((10**13, 3)) + b"0"),
        "(x: it ends before the 240000000000000 bytes of float64 (10000000000000, 3) in its header)",
    ),
    "rows beyond integers": (archive(header((10**30, 3)) + b"0"), "(x: it ends before the 1e31 bytes of float64 (1"),
    "fewer rows than none": (archive(header((-2, 3)) + bytes(48)), "(x: its header says float64 (-2, 3), which no"),
    "cells of no size": (archive(header((10**12,), "|S0")), "(x: its header says |S0 (1000000000000,), which no array"),
    "a name of two lines": (archive(b"no array", "a\n\x1b.npy"), r"(a\n\x1b: it is no array)"),
    "one name twice": (twice(as_npy(ARRAYS["x"])), "(x: there are two of this name)"),
    "a bomb": (archive(header((10**12,), "|u1"), claims=10**12), "(it says that it holds 1,000.0 GB and "),
}


@pytest.mark.parametrize("content, reason", DAMAGED.values(), ids=DAMAGED)
def test_damage_is_one_line_that_names_file_and_array(tmp_path, content, reason):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        npz.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a readable .npz file of plain arrays {reason}") and "\n" not in message


def refuse(*args, **settings):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("read, kind", [(npz.read, ".npz"), (npz.read_array, ".npy")])
def test_places_that_cannot_be_read(tmp_path, monkeypatch, read, kind):
    with pytest.raises(FileNotFoundError, match=f"^no file {tmp_path}/none$"):
        read(tmp_path / "none")
    with pytest.raises(ValueError, match=rf"^{tmp_path}: not a readable {kind} file .* \(it is a folder\)$"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as door:
        monkeypatch.chdir(tmp_path)  # the name of a socket has a hundred letters at most
        door.bind("door")
    for name, what in (("pipe", "a pipe"), ("door", "a socket")):
        with pytest.raises(ValueError, match=rf"^{tmp_path}/{name}: not a readable .* \(it is {what}\)$"):
            read(tmp_path / name)
    with pytest.raises(ValueError, match=r"^/dev/null: not a readable .* \(it is a device\)$"):
        read("/dev/null")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(pathlib.Path, "open", refuse)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/file: not a readable {kind} .* \(no permission to read it\)$"):
        read(tmp_path / "file")


@pytest.mark.parametrize("mapped", [False, True])
def test_single_arrays(tmp_path, mapped):
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS["x"])
    found = npz.read_array(path, mapped=mapped)
    np.testing.assert_array_equal(found, ARRAYS["x"])
    assert isinstance(found, np.memmap) == mapped
    with pytest.raises(FileNotFoundError, match="no file .*none.npy"):
        npz.read_array(tmp_path / "none.npy", mapped=mapped)
    for content in (
        b"",
        b"text",
        as_npz(**ARRAYS),
        as_npy(ARRAYS["x"])[:-8],
        as_npy(np.array([{}, None], dtype=object)),
        header((10**14,)),
        header((10**30,)),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError) as caught:
            npz.read_array(path, mapped=mapped)
        message = str(caught.value)
        assert message.startswith(f"{path}: not a readable .npy file of a plain array (") and "\n" not in message


def test_numbers_come_in_the_order_of_bytes_of_this_machine(tmp_path):
    other = ARRAYS["x"].astype(ARRAYS["x"].dtype.newbyteorder(">" if sys.byteorder == "little" else "<"))
    np.savez(tmp_path / "a.npz", x=np.asfortranarray(other))
    found = npz.read(tmp_path / "a.npz")["x"]
    assert found.dtype == np.float64 and found.dtype.isnative
    np.testing.assert_array_equal(found, ARRAYS["x"])


def test_the_room_there_is(tmp_path, monkeypatch):
    monkeypatch.undo()
    memory, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    memory.write_text("MemTotal:  9000 kB\nMemAvailable:  5000 kB\n")
    monkeypatch.setattr(regular, "MEMORY", memory)
    monkeypatch.setattr(regular, "LIMIT", limit)
    assert regular.room() == 5000 * 1024
    limit.write_text("max\n")
    assert regular.room() == 5000 * 1024
    limit.write_text("4000\n")
    assert regular.room() == 4000
    regular.check_room(4000)
    with pytest.raises(ValueError, match=r"it says that it holds 0.2 GB and 0.0 GB of memory are free; a pool"):
        regular.check_room(2 * 10**8)
    memory.unlink()
    limit.unlink()
    assert 10**6 < regular.room() < 10**16
