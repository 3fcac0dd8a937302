"""The directory of a run: claimed for one process, never overwritten without being told."""

import contextlib
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.store import files, lanes, same_config
from experiments.store.environment import differences, environment

WRITTEN = ("checkpoints", "lanes", "slurm", "metrics.jsonl", "timings.jsonl", "environment.json", "config.json")
LOCK = ".lock"
FREE = ("workers",)  # fields that change how fast a run is and nothing else
ADDED_TO = ("strategies", "selections", "seeds")  # more of them leave those that are there as they are


@contextlib.contextmanager
def claim(
    workdir: pathlib.Path,
    config: Mapping,
    data: dict[str, Any],
    *,
    resume: bool,
    overwrite: bool,
    report: Sequence[str] = (),
) -> Iterator[Callable[[], None]]:
    """Checks a run's directory and holds it for this process.

    Args:
      workdir: the directory; made if absent.
      config: the experiment, as a dictionary; a run goes on with the same one, or with more strategies and seeds.
      data: facts about the data set, for `environment.json`; a run goes on with data of the same `digests` alone.
      resume: go on from what is there, if anything.
      overwrite: delete what an earlier run wrote there.
      report: files that a report writes there, of the run too.

    Yields:
      what begins the run, or the next part of it, once all else is checked: writes `config.json` and
      `environment.json`, and says what differs from the versions and the machine that a resumed run began with.

    Raises:
      ValueError: the directory is in use, holds something else, or a run of another config or on other data.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"workdir {workdir}: is a file")
    found = _entries(workdir) if workdir.exists() else []
    config_path = workdir / "config.json"
    if found and not (resume or overwrite):
        raise ValueError(f"workdir {workdir}: is not empty; --resume goes on with its run, --overwrite starts again")
    if "config.json" not in found and not set(found) <= {"environment.json"}:
        raise ValueError(f"workdir {workdir}: holds {found[0]} but no run (no config.json); choose another")
    workdir.mkdir(parents=True, exist_ok=True)
    with files.open_here(workdir / LOCK, "a+") as lock:
        if not lanes.taken(lock):
            raise ValueError(
                f"workdir {workdir}: another process is running there ({lanes.holder(lock)}); end it or wait for it"
            )
        written = (*WRITTEN[:-2], *report, *WRITTEN[-2:])
        if overwrite:
            if busy := lanes.busy(workdir, lanes.PATIENCE_S):
                raise ValueError(f"workdir {workdir}: {busy[0]} is still at work on the run there; end it first")
            _clear(workdir, written)
        if config_path.exists():
            _same_config(config_path, config)
            before = _begun(workdir / "environment.json", data)

        def begin() -> None:
            lanes.sign(lock)
            files.drop_temporaries(workdir, written)
            if config_path.exists():
                _next_part(workdir / "environment.json", before, data)
            else:
                files.write_json(workdir / "environment.json", environment() | {"data": data})
            files.write_json(config_path, dict(config))

        yield begin


def refuse_other_data(before: Mapping[str, Any], digests: Mapping[str, Any], where: object) -> None:
    """Raises ValueError where data are not those that a run began with.

    Args:
      before: what its `environment.json` says; nothing is known of a run that has recorded no digests.
      digests: name -> {"from", "sha256"}; of a part of the data, if not all of it is there.
      where: the run's folder.
    """
    known = before.get("data", {}).get("digests", {})
    for name, now in digests.items():
        if name in known and known[name]["sha256"] != now["sha256"]:
            field = "config.source" if name == "source" else "config.dataset"
            raise ValueError(
                f"{field}: {now['from']} is not what the run in {where} began with (digest then "
                f"{known[name]['sha256']}, now {now['sha256']}); resume with the data of then or choose another workdir"
            )


def begun_with(workdir: pathlib.Path) -> dict[str, Any]:
    """What `environment.json` of a run says, empty if it cannot be read."""
    try:
        return read_environment(workdir / "environment.json")
    except ValueError:
        return {}


def read_environment(path: pathlib.Path) -> dict[str, Any]:
    """What `environment.json` says; ValueError if it is not there, or is not as a run writes it."""
    found = files.read_json(path)
    data = found.get("data")
    if not isinstance(data, dict) or not isinstance(found.get("parts", []), list):
        raise ValueError(f"{path}: {'is not as a run writes it' if found else 'is not there'}")
    digests = data.get("digests", {})
    if not isinstance(digests, dict) or not all(
        isinstance(x, dict) and x.keys() >= {"sha256"} for x in digests.values()
    ):
        raise ValueError(f"{path}: its digests are not as a run writes them")
    return found


def _entries(workdir: pathlib.Path) -> list[str]:
    """What is in a directory, without locks, what file managers leave and what was never finished."""
    names = sorted(path.name for path in workdir.iterdir())
    begun = tuple(f"{name}." for name in ("environment.json", "config.json"))
    unfinished = {name for name in names if name.startswith(begun) and name.endswith(files.TEMPORARY)}
    return [name for name in names if name != LOCK and name not in unfinished and not files.is_litter(name)]


def _clear(workdir: pathlib.Path, names: Sequence[str]) -> None:
    for name in names:  # config.json last: until it is gone this is a run
        path = workdir / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _same_config(path: pathlib.Path, config: Mapping) -> None:
    for field, then, here in same_config.differing(files.read_json(path), config):
        if field not in FREE and not (field in ADDED_TO and _more(then, here)):
            how = "as many or more of them" if field in ADDED_TO else "the same config"
            raise ValueError(
                f"config.{field}: the run in {path.parent} has {then!r}, now it is {here!r}; "
                f"resume with {how} or choose another workdir"
            )


def _more(before: object, now: object) -> bool:
    """Whether nothing of what was there is missing."""
    if isinstance(before, list) and isinstance(now, list):
        return all(one in now for one in before)
    return type(before) is type(now) is int and before <= now


def _begun(path: pathlib.Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the run began with, empty where that cannot be told: the checkpoints know their data too."""
    try:
        before = read_environment(path)
    except ValueError as error:
        _say(f"{error}; it is written anew, with the data and versions of now")
        return {}
    if "digests" not in before["data"]:
        _say(f"{path}: has no digests; whether the data are those that the run began with cannot be told")
    refuse_other_data(before, data.get("digests", {}), path.parent)
    return before


def _next_part(path: pathlib.Path, before: dict[str, Any], data: dict[str, Any]) -> None:
    now = environment()
    if changed := differences(before | _own_code(before.get("data", {})), now | _own_code(data)):
        _say(f"the run began with {changed}; what is done now may differ from it")
    if not before:
        files.write_json(path, now | {"data": data})
        return
    files.write_json(path, before | {"parts": [*before.get("parts", []), now | _own_code(data)]})


def _own_code(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"own_code": data["own_code"]} if data.get("own_code") else {}


def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)
