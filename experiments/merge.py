"""Parts of one experiment as one run: python -m experiments.merge PART PART ... --workdir=DIR

Parts are workdirs of the same config under other seeds (`config.first_seed`) or with other strategies, as machines that
share no disk leave them, or as strategies are thought of later. The folder written has their records, times and
surroundings and one report. It holds no checkpoints: to go on, resume a part and merge again.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments import stopping
from experiments.plan import work
from experiments.report import late
from experiments.store import files, same_config, workdir

NAMES = ("strategies", "selections")  # fields of names, one of which a config has


class Part(NamedTuple):
    """What a run has written."""

    folder: pathlib.Path
    config: dict[str, Any]
    environment: dict[str, Any]
    records: list[dict]
    timings: list[dict]

    def seeds(self) -> range:
        """The seeds of its config."""
        return range(self.config["first_seed"], self.config["first_seed"] + self.config["seeds"])


def merge(folders: Sequence[pathlib.Path], target: pathlib.Path) -> pathlib.Path:
    """Writes the run that parts make together, and its report.

    Args:
      folders: of the parts, finished or not; what is missing is said by the report.
      target: a folder that is empty or not there yet.

    Returns:
      path of `report.md`.

    Raises:
      ValueError: parts of other configs, on other data, or with the same lane and other numbers; a folder that holds no
        run; a target that is not empty. Nothing is written then.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"workdir {target}: must be a new or an empty folder")
    parts = sorted((_read(folder) for folder in folders), key=lambda part: part.seeds().start)
    for part in parts[1:]:
        _refuse_another(parts[0], part)
    config = _config(parts)
    records = _together(parts, config)
    timings = list({json.dumps(timing): timing for part in parts for timing in part.timings}.values())
    first, *later = (part.environment for part in parts)
    beside = list(first.get("parts", []))
    for found in later:
        beside += [{k: v for k, v in found.items() if k not in ("data", "parts")}, *found.get("parts", [])]

    target.mkdir(parents=True, exist_ok=True)
    files.write_json(target / "environment.json", first | {"parts": beside})
    files.write_json(target / "config.json", config)
    files.write_json_lines(target / "metrics.jsonl", records)
    files.write_json_lines(target / "timings.jsonl", timings)
    return late.write(target)


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line where parts do not fit together."""
    parser = argparse.ArgumentParser(prog="python -m experiments.merge", description="Parts of an experiment as one.")
    parser.add_argument("parts", nargs="+", help="workdir of a part")
    parser.add_argument("--workdir", required=True, help="folder to write, new or empty")
    options = parser.parse_args(args)
    with stopping.in_order():
        try:
            report = merge([pathlib.Path(part) for part in options.parts], pathlib.Path(options.workdir))
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(f"report: {report}")
    return 0


def _read(folder: pathlib.Path) -> Part:
    config = files.read_json(folder / "config.json")
    if any(type(config.get(field)) is not int for field in ("first_seed", "seeds")):
        raise ValueError(f"{folder}: holds no run (no config.json with first_seed and seeds)")
    environment = workdir.read_environment(folder / "environment.json")
    records, timings = (files.read_json_lines(folder / f"{name}.jsonl") for name in ("metrics", "timings"))
    if not records:
        raise ValueError(f"{folder}: no cycle is finished (no records in metrics.jsonl)")
    return Part(folder, config, environment, records, timings)


def _refuse_another(one: Part, other: Part) -> None:
    """Raises ValueError where two parts are none of one experiment."""
    for field, then, now in same_config.differing(one.config, other.config):
        if field not in (*workdir.FREE, *workdir.ADDED_TO, "first_seed"):
            raise ValueError(f"config.{field}: {one.folder} has {then!r}, {other.folder} has {now!r}")
    if one.config.keys() & set(NAMES) != other.config.keys() & set(NAMES):
        raise ValueError(f"{one.folder} and {other.folder}: a run in cycles and one in a single stage")
    here, there = (part.environment["data"].get("digests", {}) for part in (one, other))
    for name in here.keys() & there.keys():
        if here[name]["sha256"] != there[name]["sha256"]:
            raise ValueError(
                f"{name}: {one.folder} learnt from data with the digest {here[name]['sha256']}, {other.folder} from "
                f"data with {there[name]['sha256']}"
            )


def _config(parts: Sequence[Part]) -> dict[str, Any]:
    """The config of all of them: their strategies in the order given, seeds from the first to the last."""
    first = min(part.seeds().start for part in parts)
    config = parts[0].config | {"first_seed": first, "seeds": max(part.seeds().stop for part in parts) - first}
    for field in config.keys() & set(NAMES):
        config[field] = list(dict.fromkeys(name for part in parts for name in part.config[field]))
    return config


def _together(parts: Sequence[Part], config: Mapping[str, Any]) -> list[dict]:
    """All records in the order of a run; ValueError where two parts have the same one and not the same numbers."""
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    plan = work.single_stage(config, seeds) if "selections" in config else work.active(config, seeds, together=False)
    found: dict[tuple, tuple[dict, Part]] = {}
    for part in parts:
        for record in part.records:
            try:
                before, whose = found.setdefault(plan.place(record), (record, part))
            except ValueError as error:
                raise ValueError(f"{part.folder / 'metrics.jsonl'}: {error}") from None
            if json.dumps(before) != json.dumps(record):
                lane = f"{record['strategy']}, seed {record['seed']}, cycle {record['cycle']}"
                raise ValueError(f"{lane}: {whose.folder} and {part.folder} have other numbers; leave one of them out")
    return [found[place][0] for place in sorted(found)]


if __name__ == "__main__":
    sys.exit(main())
