"""Statistics of a run: seed means with standard errors, paired differences, labels needed for a level.

A record is one line of `metrics.jsonl`: one strategy, seed and cycle. Values are averaged over the
cycles of a seed first and over the seeds then, as in the tables of AL-FaMoUS. Scores leave out cycle 0,
the start before any query, which all strategies share. A seed that lacks a cycle counts in no such
average, because early cycles score lower than late ones.
"""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.store import files

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SCORES = ("accuracy", "macro_f1", "cbi", "cbi_sum", "l1_score")
BATCHES = ("ed_diversity", "kl_diversity")
METRICS = SCORES + BATCHES
REQUIRED = {"strategy": str, "seed": int, "cycle": int, "num_labelled": int}
FAMILIES = ("random", "us", "bald")
VARIANTS = ("", "cb", "fbu", "alfamous")


class Estimate(NamedTuple):
    """A mean over seeds; NaN where there is nothing to average or only one seed."""

    mean: float
    se: float
    num: int


class Paired(NamedTuple):
    """First strategy minus second over the seeds that both have."""

    mean: float
    se: float
    num: int
    wins: int  # seeds in which the first is strictly higher
    t_p: float  # two-sided; NaN with one seed, or if all differences are equal
    wilcoxon_p: float


class Level(NamedTuple):
    """Labels at the first cycle that reaches a level; NaN unless every seed reaches it."""

    mean: float
    se: float
    num: int
    reached: int


def _problem(record: dict) -> str | None:
    for field, kind in REQUIRED.items():
        if type(record.get(field)) is not kind:
            return f"{field} must be {kind.__name__}, got {json.dumps(record.get(field))}"
    for field in METRICS:
        if record.get(field) is not None and type(record[field]) not in (int, float):
            return f"{field} must be a number or null, got {json.dumps(record[field])}"
    if record["cycle"] < 0:
        return f"cycle must not be negative, got {record['cycle']}"
    counts, recall = (record.get(field) or [] for field in ("counts", "recall"))
    if not isinstance(counts, list) or any(type(count) not in (int, float) for count in counts):
        return "counts must be a list of numbers"
    if not isinstance(recall, list) or any(type(x) not in (int, float, type(None)) for x in recall):
        return "recall must be a list of numbers or nulls"
    return None


def load_records(workdir) -> list[dict]:
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
    first_line = {}
    for number, record in enumerate(records, start=1):
        problem = _problem(record)
        if problem:
            raise ValueError(f"{path}, line {number}: {problem}")
        key = record["strategy"], record["seed"], record["cycle"]
        if key in first_line:
            raise ValueError(f"{path}, line {number}: repeats line {first_line[key]} (strategy, seed, cycle: {key})")
        first_line[key] = number
    return records


def split_name(strategy: str) -> tuple[str, str]:
    """Family and variant of a strategy: "us-cb" is ("us", "cb"), "bald-mc" is ("bald-mc", "")."""
    family, _, variant = strategy.rpartition("-")
    known = family and variant.partition("@")[0] in VARIANTS
    return (family, variant) if known else (strategy, "")


def strategies(records: Sequence[dict]) -> list[str]:
    """Names in the records, in the order of the paper's tables; others follow as first seen."""
    seen = list(dict.fromkeys(record["strategy"] for record in records))
    families = list(dict.fromkeys([*FAMILIES, *(split_name(name)[0] for name in seen)]))
    variants = list(dict.fromkeys([*VARIANTS, *(split_name(name)[1] for name in seen)]))

    def rank(name):
        family, variant = split_name(name)
        return families.index(family), variants.index(variant)

    return sorted(seen, key=rank)


def last_cycle(records: Sequence[dict]) -> int:
    """The highest cycle that any seed has recorded."""
    return max(record["cycle"] for record in records)


def curves(records: Sequence[dict], strategy: str, metric: str) -> tuple[list[int], np.ndarray]:
    """Seeds of a strategy and their values [seeds, cycles], NaN where null or not recorded."""
    own = [record for record in records if record["strategy"] == strategy]
    seeds = sorted({record["seed"] for record in own})
    values = np.full((len(seeds), last_cycle(records) + 1), np.nan)
    for record in own:
        value = record.get(metric)
        values[seeds.index(record["seed"]), record["cycle"]] = np.nan if value is None else value
    return seeds, np.where(np.isfinite(values), values, np.nan)


def complete_curves(records: Sequence[dict], strategy: str, metric: str) -> tuple[list[int], np.ndarray]:
    """`curves` of the seeds that have every cycle up to the last one recorded by any."""
    _, num_labelled = curves(records, strategy, "num_labelled")
    seeds, values = curves(records, strategy, metric)
    whole = ~np.isnan(num_labelled).any(axis=1)
    return [seed for seed, keep in zip(seeds, whole, strict=True) if keep], values[whole]


def seed_means(records: Sequence[dict], strategy: str, metric: str, first_cycle: int = 1) -> dict[int, float]:
    """Mean over the cycles for each complete seed; nulls are left out, a seed of nulls only is NaN.

    Args:
      records: of the run.
      strategy: its name.
      metric: a field of the records; one of `BATCHES` is averaged over all queries.
      first_cycle: where the mean of a score starts; the last cycle if the run ends before.

    Returns:
      seed -> mean.
    """
    seeds, values = complete_curves(records, strategy, metric)
    if metric not in BATCHES:
        values = values[:, min(first_cycle, last_cycle(records)) :]
    rows = [row[~np.isnan(row)] for row in values]
    return {seed: float(row.mean()) if row.size else np.nan for seed, row in zip(seeds, rows, strict=True)}


def estimate(values) -> Estimate:
    """Mean and standard error (ddof 1) of the values that are not NaN."""
    values = np.asarray(list(values), dtype=float)
    values = values[~np.isnan(values)]
    mean = float(values.mean()) if values.size else np.nan
    se = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else np.nan
    return Estimate(mean, se, values.size)


def mean_over_seeds(records: Sequence[dict], strategy: str, metric: str, first_cycle: int = 1) -> Estimate:
    """What the tables print: the mean over the cycles, averaged over the complete seeds."""
    return estimate(seed_means(records, strategy, metric, first_cycle).values())


def compare(records: Sequence[dict], first: str, second: str, metric: str) -> Paired:
    """Paired comparison of two strategies in their means over the cycles.

    Args:
      records: of the run.
      first, second: strategy names; the difference is first minus second.
      metric: a field of the records.

    Returns:
      Paired, with `num` 0 if no seed is complete in both.
    """
    a, b = seed_means(records, first, metric), seed_means(records, second, metric)
    differences = np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])
    differences = differences[~np.isnan(differences)]
    t_p = wilcoxon_p = np.nan
    if differences.size > 1 and np.ptp(differences) > 1e-12:
        t_p = float(stats.ttest_1samp(differences, 0.0).pvalue)
        wilcoxon_p = float(stats.wilcoxon(differences).pvalue)
    return Paired(*estimate(differences), int((differences > 0).sum()), t_p, wilcoxon_p)


def labels_to_level(records: Sequence[dict], strategy: str, level: float) -> Level:
    """Labels known at the first cycle with macro F1 >= level, averaged over the complete seeds."""
    _, f1 = complete_curves(records, strategy, "macro_f1")
    _, num_labelled = complete_curves(records, strategy, "num_labelled")
    reached = (f1 >= level).any(axis=1)
    if not reached.all():
        return Level(np.nan, np.nan, len(f1), int(reached.sum()))
    first = num_labelled[np.arange(len(f1)), np.argmax(f1 >= level, axis=1)]
    return Level(*estimate(first), int(reached.sum()))


def levels_in_range(records: Sequence[dict]) -> list[float]:
    """Those of `LEVELS` that some complete seed reaches and not every one has at cycle 0."""
    f1 = np.concatenate([complete_curves(records, name, "macro_f1")[1] for name in strategies(records)])
    return [level for level in LEVELS if (f1 >= level).any() and not (f1[:, 0] >= level).all()]


def ranges(numbers: Iterable[int]) -> str:
    """0, 1, 2, 5 as "0-2, 5"."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def missing(records: Sequence[dict], names: Iterable[str], seeds: Iterable[int], cycles: int) -> list[str]:
    """What the records lack of `names` x `seeds` x cycles 0 to `cycles`, one phrase for each gap; and the null CBIs."""
    present = {name: {} for name in dict.fromkeys([*names, *strategies(records)])}
    for record in records:
        present[record["strategy"]].setdefault(record["seed"], set()).add(record["cycle"])
    absent = [name for name, own in present.items() if not own]
    gaps, lines = {}, [f"{', '.join(absent)}: not run"] if absent else []
    for name, own in present.items():
        lacking = {}
        for seed in sorted({*seeds, *own} if own else ()):
            gap = ranges(set(range(cycles + 1)) - own.get(seed, set()))
            lacking.setdefault(gap, []).append(seed)
        lacking.pop("", None)
        for gap, group in lacking.items():
            gaps.setdefault(f"seeds {ranges(group)}: without cycles {gap}", []).append(name)
    lines += [f"{', '.join(group)}, {gap}" for gap, group in gaps.items()]
    for name in present:
        nulls = sum(record["strategy"] == name and record.get("cbi") is None for record in records)
        lines += [f"{name}: {nulls} records without a CBI (degenerate counts), left out of its mean"] if nulls else []
    return lines


def missing_of(records: Sequence[dict], config: dict, names: Iterable[str]) -> list[str]:
    """`missing` of a run: the seeds and cycles are those of its config, or of its records without one."""
    first, count = config.get("first_seed", 0), config.get("seeds")
    seeds = range(first, first + count) if isinstance(count, int) else count or {r["seed"] for r in records}
    return missing(records, names, seeds, config.get("cycles") or last_cycle(records))
