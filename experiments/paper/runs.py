"""The runs that the page over all data sets is made of: where they lie, and what to keep in mind about each."""

import pathlib
from collections.abc import Iterable, Sequence

from experiments.published import alfamous
from experiments.report.missing import missing
from experiments.report.runs import Run, load, of_lanes
from experiments.store import files

TOLERANCE = 0.01  # of the published rows may be missing before a run is no longer comparable


def find_runs(folders: Sequence[str | pathlib.Path]) -> list[Run]:
    """Reads the runs in some folders.

    Args:
      folders: workdirs of runs on the paper's data sets, or folders with such workdirs in them; what else lies
        in the latter is passed over.

    Returns:
      the runs in the order of the paper, of its strategies alone. ValueError, in one line, where a folder holds none,
      for records or settings that are malformed, and for two runs on one data set.
    """
    found: dict[str, Run] = {}
    for workdir in {path.resolve(): path for folder in folders for path in _workdirs(pathlib.Path(folder))}.values():
        run = _load(workdir)
        if dataset_of(run) in found:
            raise ValueError(f"{found[dataset_of(run)].folder} and {workdir}: two runs on {dataset_of(run)}")
        found[dataset_of(run)] = run
    return [found[name] for name in alfamous.TITLES if name in found]


def dataset_of(run: Run) -> str:
    """The data set of a run, one of `alfamous.TITLES`."""
    return str(run.config["dataset"])


def title_of(run: Run) -> str:
    """The paper's name of the data set, with a dagger where too many of its rows are missing."""
    return alfamous.TITLES[dataset_of(run)] + "†" * (_share_missing(run) > TOLERANCE)


def caveats(run: Run) -> list[str]:
    """What keeps a run from being the paper's experiment, one phrase each; empty if nothing does."""
    lines, share = [], _share_missing(run)
    if share > 0:
        rows = "{rows:,} of {published:,} rows".format(**run.environment["data"])
        comparable = f"{rows} ({100 * share:.2g} % are missing)"
        lines.append(f"**not comparable with the paper's: {rows}**" if share > TOLERANCE else comparable)
    other = alfamous.other_settings(run.config, run.last_cycle)
    lines += [f"other settings than the paper's: {', '.join(other)}"] if other else []
    seeds = len(run.seeds)
    lines += [f"{seeds} of the paper's {alfamous.SEEDS} seeds"] if seeds < alfamous.SEEDS else []
    return lines + missing(run, alfamous.load_results(dataset_of(run)))


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
    run = load(workdir)
    names = alfamous.load_results(dataset_of(run))
    lanes = [own for name, own in run.lanes.items() if name in names]
    if not lanes:
        raise ValueError(f"{workdir / 'metrics.jsonl'}: none of the strategies {', '.join(names)}")
    data = run.environment.get("data")
    counts = [data.get(key) for key in ("rows", "published")] if isinstance(data, dict) else [data]
    if data is not None and not all(type(count) is int and count > 0 for count in counts):
        raise ValueError(f"{workdir / 'environment.json'}: data must hold the counts rows and published, got {data}")
    return of_lanes(run, lanes)


def _share_missing(run: Run) -> float:
    data = run.environment.get("data")
    return 1 - data["rows"] / data["published"] if data else 0.0
