"""A run as a report sees it: what was recorded, read and checked once, as arrays over seeds and cycles.

A record is one line of `metrics.jsonl`: one strategy, seed and cycle. A `Run` holds all of them, a `Lanes` for each
strategy, so that no section of a report looks for its records again.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.plan.strategies import FORMS, Strategy, parse
from experiments.report import checked, surroundings
from experiments.report.checked import NUMBERS
from experiments.store import files
from experiments.store.records import check_seconds

FAMILIES = ("random", "us", "bald")  # first in the order of the paper's tables


class Lanes(NamedTuple):
    """One strategy of a run: a row for each of its S seeds, a column for each of the C cycles of the run."""

    strategy: Strategy
    seeds: tuple[int, ...]  # rising
    metrics: dict[str, np.ndarray]  # [S, C] each, NaN where null or not recorded; see `of_records`
    counts: np.ndarray  # [S, C, K], labels of each class, NaN where not recorded
    recall: np.ndarray  # [S, C, K], NaN where null or not recorded
    schemes: np.ndarray  # [S, C], how the lane learned, "" where not recorded
    maps: np.ndarray  # [S, C], the feature map that was chosen, "" where none was
    failed: np.ndarray  # [S, C], whether a fit said that it did not converge
    lam_curves: dict[int, dict[str, list[float]]]  # by seed: what config.lam = "auto" saw at cycle 0

    @property
    def recorded(self) -> np.ndarray:
        """Whether there is a record [S, C]."""
        return ~np.isnan(self.metrics["num_labelled"])

    @property
    def counted(self) -> np.ndarray:
        """Whether there is a record with counts [S, C]."""
        known = np.asarray(~np.isnan(self.counts).any(axis=2))
        return self.recorded & known if self.counts.shape[2] else np.zeros_like(self.recorded)

    @property
    def whole(self) -> np.ndarray:
        """Whether a seed has every cycle up to the last one recorded by any lane [S]."""
        return np.asarray(self.recorded.all(axis=1))


class Run(NamedTuple):
    """A run, finished or not, and what stands beside its records in its folder."""

    folder: pathlib.Path
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    timings: Sequence[Mapping[str, Any]]
    lanes: dict[str, Lanes]  # by the name of the strategy, in the order of the paper's tables

    @property
    def strategies(self) -> list[Strategy]:
        """What was run."""
        return [own.strategy for own in self.lanes.values()]

    @property
    def seeds(self) -> list[int]:
        """Those that any strategy has, rising."""
        return sorted({seed for own in self.lanes.values() for seed in own.seeds})

    @property
    def last_cycle(self) -> int:
        """The highest cycle in the records."""
        return next(iter(self.lanes.values())).schemes.shape[1] - 1


def load(workdir: str | pathlib.Path) -> Run:
    """Reads a run.

    Args:
      workdir: folder with `metrics.jsonl` and, where there, `config.json`, `environment.json` and `timings.jsonl`.

    Returns:
      the run. ValueError, in one line, for records that are missing or malformed and for files that are not JSON.
    """
    folder = pathlib.Path(workdir)
    records = load_records(folder)
    config, environment = files.read_json(folder / "config.json"), surroundings.read(folder)
    timings = files.read_json_lines(folder / "timings.jsonl")
    for number, row in enumerate(timings, start=1):
        try:
            check_seconds(row)
        except ValueError as error:
            raise ValueError(f"{folder / 'timings.jsonl'}, line {number}: {error}") from None
    checked.check_config(config, folder / "config.json")
    return of_records(records, folder, config, environment, timings)


def load_records(workdir: str | pathlib.Path) -> list[dict]:
    """The records of a run, in the order written.

    Args:
      workdir: folder with `metrics.jsonl`.

    Returns:
      one dict per (strategy, seed, cycle). ValueError, in one line, for a missing or empty file, a
      malformed line, and a record that is there twice.
    """
    path = pathlib.Path(workdir) / "metrics.jsonl"
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    records = files.read_json_lines(path)
    if not records:
        raise ValueError(f"{path}: empty")
    first_line: dict[tuple, int] = {}
    classes = 0
    for number, record in enumerate(records, start=1):
        if problem := checked.problem(record, classes):
            raise ValueError(f"{path}, line {number}: {problem}")
        key = record["strategy"], record["seed"], record["cycle"]
        if key in first_line:
            raise ValueError(f"{path}, line {number}: repeats line {first_line[key]} (strategy, seed, cycle: {key})")
        first_line[key] = number
        classes = classes or checked.num_classes(record)
    if problem := checked.too_far_apart(records):
        raise ValueError(f"{path}: {problem}")
    return records


def of_records(
    records: Sequence[Mapping[str, Any]],
    folder: pathlib.Path = pathlib.Path(),
    config: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    timings: Sequence[Mapping[str, Any]] = (),
) -> Run:
    """The run of some records.

    Args:
      records: at least one, as from `load_records`.
      folder: where the report goes.
      config, environment, timings: what the run has written beside them.

    Returns:
      the run; the metrics of a lane are `NUMBERS`, `num_labelled`, and of the counts `imbalance_ratio`, their deviation
      over their mean, and `found`, how many classes have a label.
    """
    cycles = 1 + max(record["cycle"] for record in records)
    classes = max(checked.num_classes(record) for record in records)
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by_name.setdefault(record["strategy"], []).append(record)
    lanes = [_lanes(parse(name), own, cycles, classes) for name, own in by_name.items()]
    return Run(folder, config or {}, environment or {}, timings, _in_order(lanes))


def of_lanes(run: Run, lanes: Iterable[Lanes]) -> Run:
    """The run of some of its lanes, or of lanes under other names, without the last cycles that none of them has."""
    kept = list(lanes)
    cycles = 1 + max(int(np.flatnonzero(own.recorded.any(axis=0))[-1]) for own in kept)
    return run._replace(lanes=_in_order([_cut(own, cycles) for own in kept]))


def family(strategy: Strategy) -> tuple[str, str]:
    """Family and variant: us-cb is ("us", "cb"); a name without a form or with a scheme is a family of its own."""
    alone = strategy.scheme or not strategy.form
    return (str(strategy), "") if alone else (strategy.base, strategy.variant)


def _in_order(lanes: Sequence[Lanes]) -> dict[str, Lanes]:
    """By name, in the order of the paper's tables; others follow as they come."""
    parts = [family(own.strategy) for own in lanes]
    families = list(dict.fromkeys([*FAMILIES, *(first for first, _ in parts)]))
    variants = list(dict.fromkeys([*FORMS, *(variant for _, variant in parts)]))
    ranks = [(families.index(first), variants.index(variant)) for first, variant in parts]
    order = sorted(range(len(lanes)), key=lambda i: ranks[i])
    return {str(lanes[i].strategy): lanes[i] for i in order}


def _lanes(strategy: Strategy, records: Sequence[Mapping[str, Any]], cycles: int, classes: int) -> Lanes:
    seeds = sorted({record["seed"] for record in records})
    row = {seed: i for i, seed in enumerate(seeds)}
    shape = len(seeds), cycles
    metrics = {name: np.full(shape, np.nan) for name in (*NUMBERS, "num_labelled")}
    counts, recall = (np.full((*shape, classes), np.nan) for _ in range(2))
    schemes, maps = (np.full(shape, "", dtype=object) for _ in range(2))
    failed = np.zeros(shape, bool)
    lam_curves = {}
    for record in records:
        at = row[record["seed"]], record["cycle"]
        for name, values in metrics.items():
            value = record.get(name)
            values[at] = value if value is not None and np.isfinite(value) else np.nan
        for name, array in (("counts", counts), ("recall", recall)):
            if record.get(name):
                array[at] = [np.nan if x is None else x for x in record[name]]
        schemes[at], maps[at] = record.get("scheme", ""), record.get("map", "")
        failed[at] = record.get("converged") is False
        if record.get("lam_curve") and record["cycle"] == 0:
            lam_curves[record["seed"]] = record["lam_curve"]
    return Lanes(
        strategy, tuple(seeds), metrics | _of_counts(counts), counts, recall, schemes, maps, failed, lam_curves
    )


def _of_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    if not counts.shape[2]:
        return dict.fromkeys(("imbalance_ratio", "found"), np.full(counts.shape[:2], np.nan))
    with np.errstate(invalid="ignore"):  # no label at all: 0 / 0
        ratio = counts.std(axis=2) / counts.mean(axis=2)
    found = np.where(np.isnan(counts).any(axis=2), np.nan, (counts > 0).sum(axis=2))
    return {"imbalance_ratio": ratio, "found": found}


def _cut(own: Lanes, cycles: int) -> Lanes:
    arrays = {name: getattr(own, name)[:, :cycles] for name in ("counts", "recall", "schemes", "maps", "failed")}
    return own._replace(metrics={name: values[:, :cycles] for name, values in own.metrics.items()}, **arrays)
