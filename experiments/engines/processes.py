"""The engine of one machine: units side by side in processes, each on its own share of the cores."""

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

from experiments import stopping
from experiments.engines import units
from experiments.engines.units import Unit


class Worker(NamedTuple):
    """A process and what it has."""

    process: Any  # of a context of multiprocessing
    cores: list[int] | None
    unit: Unit


Workers = dict[Any, Worker]  # by the connection to each


def run_units(todo: list[Unit], num_workers: int) -> Generator[None, None, None]:
    """Runs units, the next one wherever a worker is free; yields now and then, ends when all are done.

    A process of one thread on one core trains these small networks faster than two threads share one,
    and than `vmap` on a CPU (`python -m experiments.bench lanes` measures it).

    Args:
      todo: the work; a unit is done by one worker, and by another one if that is killed.
      num_workers: processes at a time; closing the iterator ends them.

    Raises:
      ValueError: what a unit refused.
      RuntimeError: a unit failed, or lost its worker too often.
    """
    waiting = collections.deque(todo)
    lost: collections.Counter[Unit] = collections.Counter()
    workers: Workers = {}
    try:
        for cores in _core_shares(min(num_workers, len(todo))):
            _start(workers, waiting.popleft(), cores)
        while workers:
            ready: list[Any] = multiprocessing.connection.wait(list(workers), timeout=0.5)
            for connection in ready:
                process, cores, unit = workers.pop(connection)
                try:
                    units.refuse(connection.recv())
                except (EOFError, ConnectionError):
                    process.join()
                    lost[unit] += 1
                    units.refuse_lost(unit, lost[unit], f"with exit code {process.exitcode}")
                    _start(workers, unit, cores)
                    continue
                if waiting:
                    workers[connection] = Worker(process, cores, waiting.popleft())
                    _send(connection, workers[connection].unit)
                else:
                    process.terminate()
            yield
    finally:
        for worker in workers.values():
            worker.process.terminate()


def _start(workers: Workers, unit: Unit, cores: list[int] | None) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    # From its first breath: libraries count the cores when they are loaded, and Ctrl-C is for this process alone.
    with _on(cores), stopping.deaf_children():
        process.start()
    theirs.close()  # so that the pipe ends where the worker does
    workers[ours] = Worker(process, cores, unit)
    _send(ours, unit)


def _send(connection: Any, unit: Unit) -> None:
    with contextlib.suppress(ConnectionError):  # a worker that died just now is found by its pipe
        connection.send(unit)


def _core_shares(num_workers: int) -> list[list[int] | None]:
    """The cores of each worker; None where the system cannot say."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * num_workers
    cores = sorted(os.sched_getaffinity(0))
    return [cores[i::num_workers] or [cores[i % len(cores)]] for i in range(num_workers)]


@contextlib.contextmanager
def _on(cores: list[int] | None) -> Iterator[None]:
    """This thread, and what it starts, on some cores."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _serve(connection: Any) -> None:
    """A worker's life: units come in, outcomes go out."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # whoever wants them has left
        while True:
            connection.send(units.work(connection.recv()))


def _end_with_parent() -> None:
    """Ends this process when the one that started it dies, however it dies."""
    parent = multiprocessing.parent_process()
    multiprocessing.connection.wait([parent.sentinel] if parent else [])
    os._exit(1)
