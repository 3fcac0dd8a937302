"""Lanes side by side in processes, each on its own share of the cores."""

import multiprocessing
import multiprocessing.connection
import os
import pathlib
import queue
import signal
import threading
import traceback

from ml_collections import FrozenConfigDict

from experiments.strategies import Lane


def run_groups(config: dict, groups: list[tuple[Lane, ...]], folder: pathlib.Path, num_workers: int, on_cycle) -> None:
    """Runs groups of lanes, the next one wherever a worker is free.

    A process of one thread on one core trains these small networks faster than two threads share one,
    and than `vmap` on a CPU (`python -m experiments.bench lanes` measures it).

    Args:
      config: the experiment, as a dictionary.
      groups: the work; a group is done by one worker.
      folder: where the checkpoints go.
      num_workers: processes at a time.
      on_cycle: as for `loop.run_lanes`; called in this process.

    Raises:
      ValueError: what a worker refused.
      RuntimeError: a worker failed or was killed.
    """
    context = multiprocessing.get_context("spawn")
    tasks, events = context.Queue(), context.Queue()
    for group in groups:
        tasks.put(group)
    shares = _core_shares(num_workers)
    workers = [
        context.Process(target=_work, args=(config, folder, tasks, events, share), daemon=True) for share in shares
    ]
    for worker in workers:
        tasks.put(None)
        worker.start()
    try:
        _listen(workers, events, on_cycle)
    finally:
        for worker in workers:
            worker.terminate()


def _listen(workers, events, on_cycle):
    """Handles events until every worker has said that it is done."""
    running = len(workers)
    while running:
        try:
            kind, *content = events.get(timeout=1.0)
        except queue.Empty:
            killed = next((worker for worker in workers if worker.exitcode), None)
            if killed is not None:
                raise RuntimeError(f"a worker process ended with exit code {killed.exitcode}") from None
            continue
        if kind == "cycle":
            on_cycle(*content)
        elif kind == "refused":
            raise ValueError(content[0])
        elif kind == "failed":
            raise RuntimeError(f"a worker process failed:\n{content[0]}")
        else:
            running -= 1


def _core_shares(num_workers):
    """The cores of each worker; None where the system cannot say."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * num_workers
    cores = sorted(os.sched_getaffinity(0))
    return [cores[i::num_workers] or [cores[i % len(cores)]] for i in range(num_workers)]


def _work(config, folder, tasks, events, cores):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        from experiments import loop  # starts JAX, whose threads follow the cores set above

        frozen = FrozenConfigDict(config)
        while (group := tasks.get()) is not None:
            loop.run_lanes(frozen, group, folder, lambda *content: events.put(("cycle", *content)))
        events.put(("done",))
    except ValueError as error:
        events.put(("refused", str(error)))
    except Exception:
        events.put(("failed", traceback.format_exc()))


def _end_with_parent():
    """Ends this process when the one that started it dies, however it dies."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
