"""Fits that are put off, made while questions go on with the head as it is."""

import threading
from collections.abc import Callable

from alfamous_jax.session import Session


def catch_up(session: Session, lock: threading.RLock, then: Callable[[], object]) -> None:
    """Makes the fits that were put off, without keeping anybody waiting.

    Args:
      session: with `fits_later`.
      lock: held by whoever changes it.
      then: called after each of them.
    """
    while session.is_behind:
        with lock:
            now = session.as_of(len(session.history))
        now.head  # noqa: B018  the fit itself, for which nobody has to wait
        with lock:
            session.catch_up(now)
        then()
