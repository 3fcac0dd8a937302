"""One run on the devices of many processes, which all are started with the same command and `--distributed`.

Process 0 alone writes. A process that fails or is lost ends the others: their next exchange fails at once, or, if the
lost one still holds its connections, the coordinator misses its heartbeats. Started again with --resume, the run goes
on after the last cycle that was saved.
"""

import atexit
import contextlib
import faulthandler
import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from experiments import stopping

T = TypeVar("T")
HEARTBEAT_S = 30
STARTUP_S = 120


def start(how: str, parallel: str) -> None:
    """Joins the other processes; does nothing for "".

    Args:
      how: "auto" asks the launcher (SLURM, Open MPI, Kubernetes, a TPU pod); "HOST:PORT,NUM,ID" names the coordinator,
        which process 0 starts, how many processes there are and which one this is.
      parallel: of the config; only "pool" has use for several processes.

    Raises:
      ValueError: one of the two is something else.
      RuntimeError: there is no launcher, or the others did not come.
    """
    if not how:
        return
    if parallel != "pool":
        raise ValueError(f"--distributed: shares a pool, so config.parallel must be 'pool', got {parallel!r}")
    settings: dict[str, Any] = {"heartbeat_timeout_seconds": HEARTBEAT_S, "initialization_timeout": STARTUP_S}
    if how != "auto":
        address, *numbers = how.split(",")
        if ":" not in address or len(numbers) != 2 or not all(map(str.isdecimal, numbers)):
            raise ValueError(f"--distributed: expected auto or HOST:PORT,NUM,ID, got {how!r}")
        num, process = map(int, numbers)
        if not process < num:
            raise ValueError(f"--distributed: ID must lie in 0..{num - 1}, got {process}")
        settings |= {"coordinator_address": address, "num_processes": num, "process_id": process}
    if how != "auto" and _is_loopback(address):
        settings["coordinator_bind_address"] = address
    jax.config.update("jax_enable_preemption_service", False)  # which would take SIGTERM for itself
    _leave_a_companion()
    faulthandler.disable()  # the last thing to be read of a fatal error should be what it says, not where it was
    try:
        jax.distributed.initialize(**settings)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(f"--distributed={how}: {str(error).splitlines()[0]}") from error
    stopping.listen()


def is_first() -> bool:
    """Whether this process writes."""
    return jax.process_index() == 0


@contextlib.contextmanager
def on_first(context: contextlib.AbstractContextManager[T]) -> Iterator[T | None]:
    """Enters a context in process 0, None in the others; where it cannot, every process raises ValueError."""
    with contextlib.ExitStack() as stack:
        refused = entered = None
        if is_first():
            try:
                entered = stack.enter_context(context)
            except (ValueError, OSError) as error:
                refused = error
        if jax.process_count() > 1 and not multihost_utils.broadcast_one_to_all(np.bool_(refused is None)):
            refused = refused or ValueError("process 0 refused to start; its message says why")
        if refused is not None:
            raise refused
        yield entered


def leave(error: Exception) -> NoReturn:
    """Ends this process in one line and with exit code 1, without waiting for others that may be gone."""
    message = f"error: {str(error).strip()}"
    if not isinstance(error, jax.errors.JaxRuntimeError):
        sys.exit(message)
    print(message.splitlines()[0], file=sys.stderr, flush=True)
    os._exit(1)  # the companion says the rest


def _is_loopback(address: str) -> bool:
    """Whether HOST:PORT is said to be of this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _leave_a_companion() -> None:
    """A process that speaks when this one ends in a way that leaves it no word, as by a fatal error of the runtime."""
    message = "error: a process of this run was lost; start all of them again, --resume goes on"
    code = f"import sys; sys.stdin.read() == 'done' or sys.exit({message!r})"
    command = [sys.executable, "-c", code]
    companion = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
    atexit.register(companion.communicate, "done")
    stopping.also(companion.kill)
