"""Looked at before a file is read: that it is one, and that this machine has room for what it claims to hold."""

import os
import pathlib
import stat
import sys

OTHERS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}
MEMORY = pathlib.Path("/proc/meminfo")
LIMIT = pathlib.Path("/sys/fs/cgroup/memory.max")  # of a container


def check(path: str | os.PathLike[str]) -> None:
    """Refuses what opening would wait for or could never end: a pipe, a socket, a device; and a folder.

    Raises:
      FileNotFoundError: there is nothing.
      ValueError: it is no file.
    """
    kind = stat.S_IFMT(pathlib.Path(path).stat().st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(OTHERS.get(kind, "it is no file"))


def check_room(size: int) -> None:
    """Refuses more bytes than are free, before any is asked for.

    Raises:
      ValueError: with both numbers.
    """
    if size > (free := room()):
        raise ValueError(
            f"it says that it holds {size / 1e9:,.1f} GB and {free / 1e9:,.1f} GB of memory are free; a pool that "
            "large is a folder of .npy files"
        )


def room() -> int:
    """Bytes of memory that can be had, as far as the system says."""
    found = [sys.maxsize]
    try:
        lines = dict(line.split(":") for line in MEMORY.read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, ValueError, KeyError):
        if hasattr(os, "sysconf"):
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        found.append(int(LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        pass
    return min(found)
