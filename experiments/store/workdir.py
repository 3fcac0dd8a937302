"""The directory of a run: claimed for one process, never overwritten without being told."""

import contextlib
import fcntl
import json
import pathlib
import shutil

from experiments.engines import units
from experiments.store import files
from experiments.store.environment import environment

WRITTEN = (
    "checkpoints", "lanes", "slurm", "metrics.jsonl", "timings.jsonl", "report.md", "curves.png", "classes.png",
    "lambda.png", "minibatches.png", "history.png", "rare.png", "progress.png", "environment.json", "config.json",
)  # fmt: skip
STARTED = {"environment.json", "environment.json.tmp", "config.json.tmp"}
LOCK = ".lock"
FREE = ("workers",)  # fields that change how fast a run is and nothing else


@contextlib.contextmanager
def claim(workdir: pathlib.Path, config: dict, data: dict[str, int], *, resume: bool, overwrite: bool):
    """Checks a run's directory, holds it for this process, writes `config.json` and `environment.json`.

    Args:
      workdir: the directory; made if absent.
      config: the experiment, as a dictionary.
      data: how many rows the data set has and how many were published, for `environment.json`.
      resume: go on from what is there, if anything.
      overwrite: delete what an earlier run wrote there.

    Raises:
      ValueError: the directory is in use, holds something else, or a run of another config.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"workdir {workdir}: is a file")
    found = sorted(path.name for path in workdir.iterdir() if path.name != LOCK) if workdir.exists() else []
    config_path = workdir / "config.json"
    if found and not (resume or overwrite):
        raise ValueError(f"workdir {workdir}: is not empty; --resume goes on with its run, --overwrite starts again")
    if "config.json" not in found and not set(found) <= STARTED:
        raise ValueError(f"workdir {workdir}: holds {found[0]} but no run (no config.json); choose another")
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"workdir {workdir}: another process is running there") from None
        if overwrite:
            if busy := units.busy(workdir):
                raise ValueError(f"workdir {workdir}: {busy[0]} is still at work on the run there; end it first")
            _clear(workdir)
        if config_path.exists():
            _same_config(config_path, config)
        else:
            files.write_json(workdir / "environment.json", environment() | {"data": data})
            files.write_json(config_path, config)
        yield


def _clear(workdir):
    for name in WRITTEN:
        path = workdir / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _same_config(path, config):
    before = files.read_json(path)
    now = json.loads(json.dumps(config))
    for field in sorted((before.keys() | now.keys()).difference(FREE)):
        if before.get(field) != now.get(field):
            raise ValueError(
                f"config.{field}: the run in {path.parent} has {before.get(field)!r}, now it is {now.get(field)!r}; "
                "resume with the same config or choose another workdir"
            )
