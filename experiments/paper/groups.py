"""The runs of one paper: found in folders, and put together where the paper averages over several data sets."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.report import checked
from experiments.report.runs import Run, load
from experiments.store import files


class Place(NamedTuple):
    """Where the claims of a paper see a run."""

    title: str  # of the group that it is in
    settings: frozenset[str]  # what the claims' settings may be, "" is always one
    part: str  # which of the runs of the group it is
    published: bool  # whether the group's setting is one of the paper's


class Group(NamedTuple):
    """Runs whose seeds are averaged together."""

    place: Place  # of the first
    runs: tuple[Run, ...]


PlaceOf = Callable[[Mapping[str, Any]], Place | None]


def find(folders: Sequence[str | pathlib.Path], place_of: PlaceOf, view: Callable[[Run], Run]) -> list[Group]:
    """The groups of a paper's runs.

    Args:
      folders: looked through with all that lies in them; what is no run of the paper is passed over.
      place_of: where a run with some config belongs, None for nowhere.
      view: what the claims see of a run that belongs.

    Returns:
      groups in the order of their titles, the paper's own settings first; none where no run belongs. ValueError, in one
      line, for records or configs that are malformed, and for one lane in two runs of a part.
    """
    found: dict[str, list[tuple[Place, Run]]] = {}
    workdirs = {path.parent.resolve(): path.parent for folder in folders for path in _records(pathlib.Path(folder))}
    for workdir in workdirs.values():
        config = files.read_json(workdir / "config.json")
        checked.check_config(config, workdir / "config.json")
        if (place := place_of(config)) is not None:
            found.setdefault(place.title, []).append((place, view(load(workdir))))
    for title, members in found.items():
        _refuse_twice(title, members)
    groups = [Group(members[0][0], tuple(run for _, run in members)) for members in found.values()]
    return sorted(groups, key=lambda group: (not group.place.published, group.place.title))


def _records(folder: pathlib.Path) -> list[pathlib.Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    return sorted(folder.rglob("metrics.jsonl"))


def _refuse_twice(title: str, members: Sequence[tuple[Place, Run]]) -> None:
    first: dict[tuple, pathlib.Path] = {}
    for place, run in members:
        for name, own in run.lanes.items():
            for seed in own.seeds:
                other = first.setdefault((place.part, name, seed), run.folder)
                if other != run.folder:
                    raise ValueError(f"{other} and {run.folder}: both have {name}, seed {seed}, of {title}")
