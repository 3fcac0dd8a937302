"""The runs that the page over all data sets is made of: where they lie, and what to keep in mind about each."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments.published import alfamous
from experiments.report import summary
from experiments.store import files

TOLERANCE = 0.01  # of the published rows may be missing before a run is no longer comparable


class Run(NamedTuple):
    """A run on one of the paper's data sets; records are those of the paper's strategies."""

    dataset: str
    folder: pathlib.Path
    config: dict
    environment: dict
    records: list[dict]

    @property
    def title(self) -> str:
        """The paper's name of the data set, with a dagger where too many of its rows are missing."""
        return alfamous.TITLES[self.dataset] + "†" * (_share_missing(self) > TOLERANCE)


def find_runs(folders: Sequence) -> list[Run]:
    """Reads the runs in some folders.

    Args:
      folders: workdirs of runs on the paper's data sets, or folders with such workdirs in them; what else lies
        in the latter is passed over.

    Returns:
      the runs in the order of the paper. ValueError, in one line, where a folder holds none, for records or
      settings that are malformed, and for two runs on one data set.
    """
    found: dict[str, Run] = {}
    for workdir in {path.resolve(): path for folder in folders for path in _workdirs(pathlib.Path(folder))}.values():
        run = _load(workdir)
        if run.dataset in found:
            raise ValueError(f"{found[run.dataset].folder} and {workdir}: two runs on {run.dataset}")
        found[run.dataset] = run
    return [found[dataset] for dataset in alfamous.TITLES if dataset in found]


def caveats(run: Run) -> list[str]:
    """What keeps a run from being the paper's experiment, one phrase each; empty if nothing does."""
    lines, missing = [], _share_missing(run)
    if missing > 0:
        rows = "{rows:,} of {published:,} rows".format(**run.environment["data"])
        comparable = f"{rows} ({100 * missing:.2g} % are missing)"
        lines.append(f"**not comparable with the paper's: {rows}**" if missing > TOLERANCE else comparable)
    other = alfamous.other_settings(run.config, summary.last_cycle(run.records))
    lines += [f"other settings than the paper's: {', '.join(other)}"] if other else []
    seeds = len({record["seed"] for record in run.records})
    lines += [f"{seeds} of the paper's {alfamous.SEEDS} seeds"] if seeds < alfamous.SEEDS else []
    return lines + summary.missing_of(run.records, run.config, alfamous.load_results(run.dataset))


def pairs(runs: Iterable[Run]) -> list[tuple[Run, str]]:
    """Every run with both families of strategies: what the paper's orderings range over."""
    return [(run, family) for run in runs for family in ("us", "bald")]


def _workdirs(folder: pathlib.Path) -> list[pathlib.Path]:
    if (folder / "metrics.jsonl").is_file():
        candidates = [folder]
    else:
        candidates = sorted(path.parent for path in folder.glob("*/metrics.jsonl")) if folder.is_dir() else []
    known = list(alfamous.TITLES)
    found = [path for path in candidates if alfamous.counterpart(files.read_json(path / "config.json")) in known]
    if not found:
        raise ValueError(f"{folder}: no run on one of {', '.join(alfamous.TITLES)}")
    return found


def _load(workdir: pathlib.Path) -> Run:
    config, environment = files.read_json(workdir / "config.json"), files.read_json(workdir / "environment.json")
    names = alfamous.load_results(config["dataset"])
    records = [record for record in summary.load_records(workdir) if record["strategy"] in names]
    if not records:
        raise ValueError(f"{workdir / 'metrics.jsonl'}: none of the strategies {', '.join(names)}")
    data = environment.get("data")
    counts = [data.get(key) for key in ("rows", "published")] if isinstance(data, dict) else [data]
    if data is not None and not all(type(count) is int and count > 0 for count in counts):
        raise ValueError(f"{workdir / 'environment.json'}: data must hold the counts rows and published, got {data}")
    return Run(config["dataset"], workdir, config, environment, records)


def _share_missing(run: Run) -> float:
    data = run.environment.get("data")
    return 1 - data["rows"] / data["published"] if data else 0.0
