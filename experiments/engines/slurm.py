"""The engine of SLURM: a unit is a job of an array, submitted and followed through submitit."""

import pathlib
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Generator
from typing import Any

from experiments.engines import units
from experiments.engines.units import Unit
from experiments.store import files

FOLDER = "slurm"  # of the workdir: what submitit writes, and the ids of the jobs
KNOWN = {
    "partition": str, "account": str, "qos": str, "constraint": str, "time": int, "mem_gb": float, "cpus": int,
    "gpus": int, "array_parallelism": int, "cluster": str,
}  # fmt: skip
NAMES = {"time": "timeout_min", "mem_gb": "mem_gb", "cpus": "cpus_per_task", "gpus": "gpus_per_node"}  # of submitit
DEFAULTS = {"time": 240, "cpus": 1}
MAX_TIMEOUTS = 1000  # each brings a unit further, so that they need no end
ASK_EVERY_S = 60.0  # sacct; what a job leaves behind is looked for all the time


def parameters(text: str) -> dict[str, str | int | float]:
    """What --slurm asks for: "partition=gpu,time=240" and so on.

    Raises:
      ValueError: an unknown name, or a value that is no number above 0 where it should be.
    """
    found = {}
    for part in filter(None, text.split(",")):
        name, _, value = (x.strip() for x in part.partition("="))
        if name not in KNOWN:
            raise ValueError(f"--slurm: {name!r} is not one of {', '.join(KNOWN)}")
        try:
            found[name] = KNOWN[name](value)
        except ValueError:
            raise ValueError(f"--slurm: {name}: expected a number, got {value!r}") from None
        if not value or (KNOWN[name] is not str and not found[name] > 0):
            raise ValueError(f"--slurm: {name}: expected {'a name' if KNOWN[name] is str else 'a number above 0'}")
    if found.get("cluster", "slurm") not in ("slurm", "local"):
        raise ValueError(f"--slurm: cluster: expected slurm or local, got {found['cluster']!r}")
    return found


def run_units(todo: list[Unit], num_workers: int, asked: str) -> Generator[None, None, None]:
    """Runs units as jobs; yields every few seconds, ends when all are done.

    A job that is preempted or runs out of time is put into the queue again by itself. One that ends without a
    result (a lost node, memory) is submitted again, `units.RETRIES` times. Closing the iterator cancels the jobs.

    Args:
      todo: the work.
      num_workers: at most so many jobs at a time; 0 for array_parallelism or else submitit's 256.
      asked: as for `parameters`; cluster=local takes processes of this machine in the place of SLURM.

    Raises:
      ValueError: what a unit refused.
      RuntimeError: SLURM is not there or takes no jobs; a unit failed, or was lost too often.
    """
    if not todo:
        return
    import submitit

    folder = pathlib.Path(todo[0].folder, FOLDER)
    executor = _executor(folder, DEFAULTS | parameters(asked), num_workers)
    todo = [unit._replace(threads=int((DEFAULTS | parameters(asked))["cpus"])) for unit in todo]
    lost: Counter[Unit] = Counter()
    jobs: dict[Any, Unit] = {}
    asked_at = time.monotonic()
    try:
        jobs.update(_submit(executor, folder, todo))
        while jobs:
            if time.monotonic() - asked_at > ASK_EVERY_S:
                next(iter(jobs)).watcher.update()
                asked_at = time.monotonic()
            for job in [job for job in jobs if job.done()]:
                unit = jobs.pop(job)
                try:
                    units.refuse(job.result())
                except submitit.core.utils.FailedJobError as error:
                    raise RuntimeError(f"{unit.name}: {str(error).strip().splitlines()[-1]}") from None
                except submitit.core.utils.UncompletedJobError:
                    lost[unit] += 1
                    units.refuse_lost(unit, lost[unit], f"in state {job.state}, see {job.paths.stderr}")
                    jobs.update(_submit(executor, folder, [unit]))
            yield
            time.sleep(0.2 if executor.cluster == "local" else 3.0)
    finally:
        for job in jobs:
            job.cancel(check=False)


def cancel_left(folder: pathlib.Path) -> None:
    """Cancels the jobs that a run left behind when it was killed."""
    path = folder / FOLDER / "jobs.txt"
    if path.exists() and shutil.which("scancel"):
        subprocess.run(["scancel", *path.read_text(encoding="utf-8").split()], capture_output=True, check=False)
        path.unlink()


def _executor(folder: pathlib.Path, asked: dict[str, Any], num_workers: int) -> Any:
    import submitit

    cluster = asked.get("cluster", "slurm")
    own = {f"slurm_{name}": asked[name] for name in ("partition", "account", "qos", "constraint") if name in asked}
    if parallelism := num_workers or asked.get("array_parallelism"):
        own["slurm_array_parallelism"] = parallelism
    common = {theirs: asked[ours] for ours, theirs in NAMES.items() if ours in asked}
    try:
        executor = submitit.AutoExecutor(folder, cluster, **{f"{cluster}_max_num_timeout": MAX_TIMEOUTS})
    except RuntimeError as error:
        raise RuntimeError(f"--engine=slurm: {str(error).splitlines()[0]}") from None
    executor.update_parameters(name="alfamous", **common, **own)
    return executor


def _submit(executor: Any, folder: pathlib.Path, todo: list[Unit]) -> dict[Any, Unit]:
    """Submits units as an array; {job: unit}."""
    import submitit

    class Task(submitit.helpers.Checkpointable):
        """Put into the queue again as it is: a unit goes on from its own checkpoint."""

        def __call__(self, unit: Unit) -> units.Outcome:
            return units.work(unit)

    try:
        jobs = executor.map_array(Task(), todo)
    except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"--engine=slurm: sbatch refused ({str(error).strip().splitlines()[-1]})") from None
    if executor.cluster == "slurm":
        with files.open_here(folder / "jobs.txt", "a") as file:
            file.writelines(f"{job.job_id}\n" for job in jobs)
    return dict(zip(jobs, todo, strict=True))
