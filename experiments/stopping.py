"""Ctrl-C and SIGTERM end a command in one line, with exit code 130 or 143, whatever it is at.

Python hears a signal between two of its own instructions, and what it raises there can be lost: in a callback of
C++ code, or for as long as a program compiles. So a second thread hears it too, and ends the process where the
first has not done so in time. What a process leaves by that is what a kill leaves, and `--resume` goes on from it.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
GRACE_S = 4.0  # to end in order
AGAIN_S = 1.0  # a signal that comes later than this after the first is from somebody who does not want to wait

Cleanup = Callable[[], object]


class Stopped(KeyboardInterrupt):
    """What a signal raises in the main thread; `except Exception` does not catch it."""


class _State:
    """Of this process: signals have no other place to leave a word."""

    begun = False
    said = "stopped"
    in_order = False  # whether somebody catches `Stopped`
    number: int | None = None  # the first signal
    since = 0.0
    lost = False  # `Stopped` was raised where nothing passes it on
    again = False  # and is to be raised once more
    held = False  # it waits, as a process is being started
    cleanups: list[Cleanup] = []
    ended = threading.Lock()


def begin() -> None:
    """Has the signals end this process; of `experiments/__init__.py`, where a command of the package starts."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    sys.unraisablehook = _unraisable
    _State.begun = True
    listen()
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()


def listen() -> None:
    """Takes the signals back from a library that has taken them; nothing where no command was started."""
    if _State.begun:
        for number in CODES:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, _heard)


@contextlib.contextmanager
def in_order(said: str = "stopped", cleanup: Cleanup | None = None) -> Iterator[None]:
    """What may end by a signal, with time to tidy up; a signal outside ends the process on the spot.

    Args:
      said: the line.
      cleanup: called last of all, also where there was no time to end in order.
    """
    _State.said, _State.in_order = said, True
    if cleanup is not None:
        _State.cleanups.append(cleanup)
    try:
        yield
        _State.in_order = False
    except BaseException as error:  # the signal itself, or what a library has made of it on its way
        if _State.number is None and not isinstance(error, KeyboardInterrupt):
            raise
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        _end(_State.number or signal.SIGINT)
    finally:
        _State.in_order = False
        _State.cleanups.clear()


def also(cleanup: Cleanup) -> None:
    """Has something done too when a signal ends this process."""
    _State.cleanups.append(cleanup)


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Processes started in here do not hear Ctrl-C: it is for this one, which ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    _State.held = True  # one that is cut short here would die of half a message, aloud
    try:
        yield
    finally:
        _State.held = False
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if _State.number is not None:
        raise Stopped


def _heard(number: int, frame: object) -> None:
    """In the main thread, between two instructions."""
    first = _State.number is None
    if first:
        _State.number, _State.since = number, time.monotonic()
    if not _State.in_order:
        _end(number)
    elif _State.held:
        return
    elif first or _State.again:
        _State.again = False
        raise Stopped
    elif time.monotonic() - _State.since > AGAIN_S:
        _end(number)


def _watch(reading: int) -> None:
    """In a thread of its own: waits for a signal, then for the end of this process."""
    number = 0
    while number not in CODES:
        number = os.read(reading, 1)[0]
    ends_at = time.monotonic() + GRACE_S
    while time.monotonic() < ends_at:
        time.sleep(0.05)
        if _State.lost:
            _State.lost, _State.again = False, True
            _thread.interrupt_main(signal.Signals(number))
    _end(number)


def _unraisable(event: "sys.UnraisableHookArgs") -> None:
    """What was raised in a callback that cannot raise."""
    if issubclass(event.exc_type, Stopped):
        _State.lost = True
    else:
        sys.__unraisablehook__(event)


def _end(number: int) -> None:
    """The line and the exit code; other threads, and what they hold, are not waited for."""
    if not _State.ended.acquire(blocking=False):
        return
    code = CODES[signal.Signals(number)]
    if not _State.begun:
        _State.ended.release()
        print(_State.said, file=sys.stderr)
        raise SystemExit(code)
    with contextlib.suppress(Exception):
        for cleanup in _State.cleanups:
            cleanup()
    cursor = "\x1b[?25h" if os.isatty(2) else ""  # which a bar hides
    with contextlib.suppress(OSError):
        os.write(2, f"{cursor}{_State.said}\n".encode())
    os._exit(code)
