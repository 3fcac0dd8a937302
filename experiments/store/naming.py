"""Errors of the system with the name of the file that they are about."""

import contextlib
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
    """What goes wrong with a file once it is open, as on a full disk, comes without its name: this gives it one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
