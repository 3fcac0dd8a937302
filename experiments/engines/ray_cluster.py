"""The engine of a Ray cluster: a unit is a task of one CPU, and of one GPU too where the cluster has any."""

import collections
import contextlib
import logging
import os
import pathlib
import warnings
from collections.abc import Generator
from typing import Any

import ray

from experiments import stopping
from experiments.engines import units
from experiments.engines.units import Unit

PASSED_ON = ("ALFAMOUS_", "JAX_", "XLA_")  # variables of the driver that the workers get too


def run_units(todo: list[Unit], num_workers: int, address: str) -> Generator[None, None, None]:
    """Runs units as tasks of Ray; yields about once a second, ends when all are done.

    Ray starts a task again elsewhere if its process or its machine is lost, `units.RETRIES` times.

    Args:
      todo: the work.
      num_workers: at most so many tasks at a time; 0 for what the cluster has room for.
      address: of the cluster; "" for RAY_ADDRESS or else a Ray of this machine, which ends with this run.

    Raises:
      ValueError: what a unit refused.
      RuntimeError: no such cluster; a unit failed, or lost its worker too often.
    """
    if not todo:
        return
    waiting = collections.deque(todo)
    running: dict[Any, Unit] = {}
    _connect(address or os.environ.get("RAY_ADDRESS", ""), num_workers)
    try:
        num_gpus = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
        task = ray.remote(num_cpus=1, num_gpus=num_gpus, max_retries=units.RETRIES, retry_exceptions=False)(units.work)
        while waiting or running:
            while waiting and len(running) < (num_workers or len(todo)):
                unit = waiting.popleft()
                running[task.options(name=unit.name).remote(unit._replace(threads=1))] = unit
            for done in ray.wait(list(running), timeout=1.0)[0]:
                units.refuse(_outcome(running.pop(done), done))
            yield
    finally:
        for reference in running:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.cancel(reference, force=True)
        ray.shutdown()


def _connect(address: str, num_workers: int) -> None:
    root = str(pathlib.Path(__file__).parents[2])
    variables = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    own = (
        {}
        if address
        else {"num_cpus": num_workers or None, "include_dashboard": False, "object_store_memory": 100 << 20}
    )
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # JAX's; Ray's processes leave by exec at once
            ray.init(address or "local", runtime_env={"env_vars": variables}, **own, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RuntimeError(f"--ray_address: no Ray at {address or 'local'!r} ({str(error).splitlines()[0]})") from None
    stopping.listen()  # Ray takes SIGTERM


def _outcome(unit: Unit, reference: Any) -> units.Outcome:
    try:
        outcome: units.Outcome = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        units.refuse_lost(unit, units.RETRIES + 1, f"by {type(error).__name__}")
        raise
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"{unit.name}: Ray could not run it ({str(error).strip().splitlines()[-1]})") from None
    return outcome
