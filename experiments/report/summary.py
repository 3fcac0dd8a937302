"""Statistics of a run: seed means with standard errors, paired differences, labels needed for a level.

Values are averaged over the cycles of a seed first and over the seeds then, as in the tables of AL-FaMoUS. Scores leave
out cycle 0, the start before any query, which all strategies share. A seed that lacks a cycle counts in no such
average, because early cycles score lower than late ones.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from experiments.report.checked import BATCHES
from experiments.report.runs import Run

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


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


def complete_curves(run: Run, name: str, metric: str) -> tuple[list[int], np.ndarray]:
    """Seeds of a strategy that have every cycle, and their values [seeds, cycles]; none of a strategy not run."""
    if name not in run.lanes:
        return [], np.empty((0, run.last_cycle + 1))
    own = run.lanes[name]
    return [seed for seed, keep in zip(own.seeds, own.whole, strict=True) if keep], own.metrics[metric][own.whole]


def mean_curve(values: np.ndarray) -> np.ndarray:
    """Mean over the seeds [points] of `values` [seeds, points], NaN left out."""
    return np.array([estimate(column).mean for column in values.T])


def seed_means(run: Run, name: str, metric: str, first_cycle: int = 1) -> dict[int, float]:
    """Mean over the cycles for each complete seed; nulls are left out, a seed of nulls only is NaN.

    Args:
      run: it.
      name: of the strategy.
      metric: of its lanes; one of `BATCHES` is averaged over all queries.
      first_cycle: where the mean of a score starts; the last cycle if the run ends before.

    Returns:
      seed -> mean.
    """
    seeds, values = complete_curves(run, name, metric)
    if metric not in BATCHES:
        values = values[:, min(first_cycle, run.last_cycle) :]
    rows = [row[~np.isnan(row)] for row in values]
    return {seed: float(row.mean()) if row.size else np.nan for seed, row in zip(seeds, rows, strict=True)}


def estimate(values: Iterable[float]) -> Estimate:
    """Mean and standard error (ddof 1) of the values that are not NaN."""
    known = np.asarray(list(values), dtype=float)
    known = known[~np.isnan(known)]
    mean = float(known.mean()) if known.size else np.nan
    se = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else np.nan
    return Estimate(mean, se, known.size)


def mean_over_seeds(run: Run, name: str, metric: str, first_cycle: int = 1) -> Estimate:
    """What the tables print: the mean over the cycles, averaged over the complete seeds."""
    return estimate(seed_means(run, name, metric, first_cycle).values())


def compare(run: Run, first: str, second: str, metric: str) -> Paired:
    """Paired comparison of two strategies in their means over the cycles.

    Args:
      run: it.
      first, second: names of strategies; the difference is first minus second.
      metric: of their lanes.

    Returns:
      Paired, with `num` 0 if no seed is complete in both.
    """
    a, b = seed_means(run, first, metric), seed_means(run, second, metric)
    return paired(np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]))


def paired(differences: np.ndarray) -> Paired:
    """The mean of differences, one for each pair, and its tests against 0; NaN is left out."""
    differences = differences[~np.isnan(differences)]
    t_p = wilcoxon_p = np.nan
    if differences.size > 1 and np.ptp(differences) > 1e-12:
        from scipy import stats  # a second to import, which one seed alone does not need

        t_p = float(stats.ttest_1samp(differences, 0.0).pvalue)
        wilcoxon_p = float(stats.wilcoxon(differences).pvalue)
    return Paired(*estimate(differences), int((differences > 0).sum()), t_p, wilcoxon_p)


def labels_to_level(run: Run, name: str, level: float) -> Level:
    """Labels known at the first cycle with macro F1 >= level, averaged over the complete seeds."""
    _, f1 = complete_curves(run, name, "macro_f1")
    _, num_labelled = complete_curves(run, name, "num_labelled")
    reached = (f1 >= level).any(axis=1)
    if not reached.all():
        return Level(np.nan, np.nan, len(f1), int(reached.sum()))
    first = num_labelled[np.arange(len(f1)), np.argmax(f1 >= level, axis=1)]
    return Level(*estimate(first), int(reached.sum()))


def levels_in_range(run: Run) -> list[float]:
    """Those of `LEVELS` that some complete seed reaches and not every one has at cycle 0."""
    f1 = np.concatenate([complete_curves(run, name, "macro_f1")[1] for name in run.lanes])
    return [level for level in LEVELS if (f1 >= level).any() and not (f1[:, 0] >= level).all()]
