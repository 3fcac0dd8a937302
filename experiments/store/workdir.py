"""The directory of a run: claimed for one process, never overwritten without being told."""

import contextlib
import fcntl
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence

from experiments.store import files, lanes
from experiments.store.environment import environment

WRITTEN = ("checkpoints", "lanes", "slurm", "metrics.jsonl", "timings.jsonl", "environment.json", "config.json")
STARTED = {"environment.json", "environment.json.tmp", "config.json.tmp"}
LOCK = ".lock"
FREE = ("workers",)  # fields that change how fast a run is and nothing else


@contextlib.contextmanager
def claim(
    workdir: pathlib.Path,
    config: Mapping,
    data: dict[str, object],
    *,
    resume: bool,
    overwrite: bool,
    report: Sequence[str] = (),
) -> Iterator[None]:
    """Checks a run's directory, holds it for this process, writes `config.json` and `environment.json`.

    Args:
      workdir: the directory; made if absent.
      config: the experiment, as a dictionary.
      data: facts about the data set, for `environment.json`.
      resume: go on from what is there, if anything.
      overwrite: delete what an earlier run wrote there.
      report: files that a report writes there, of the run too.

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
            if busy := lanes.busy(workdir):
                raise ValueError(f"workdir {workdir}: {busy[0]} is still at work on the run there; end it first")
            _clear(workdir, (*WRITTEN[:-2], *report, *WRITTEN[-2:]))
        if config_path.exists():
            _same_config(config_path, config)
        else:
            files.write_json(workdir / "environment.json", environment() | {"data": data})
            files.write_json(config_path, dict(config))
        yield


def _clear(workdir: pathlib.Path, names: Sequence[str]) -> None:
    for name in names:  # config.json last: until it is gone this is a run
        path = workdir / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _same_config(path: pathlib.Path, config: Mapping) -> None:
    before = files.read_json(path)
    now = json.loads(json.dumps(config))
    for field in sorted((before.keys() | now.keys()).difference(FREE)):
        if before.get(field) != now.get(field):
            raise ValueError(
                f"config.{field}: the run in {path.parent} has {before.get(field)!r}, now it is {now.get(field)!r}; "
                "resume with the same config or choose another workdir"
            )
