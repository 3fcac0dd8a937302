"""Numbers of a strategy on a pool, as the tables of the benchmark show them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.report import summary
from experiments.report.runs import Run
from experiments.report.summary import Estimate, Level

SHARE = 0.9  # of the score of all labels, which "labels to 90 %" asks for


def means(runs: Sequence[Run], strategies: Sequence[str], metric: str = "macro_f1") -> np.ndarray:
    """A metric over the cycles and the seeds [pools, strategies], NaN where no seed is complete."""
    return np.array([[summary.mean_over_seeds(run, name, metric).mean for name in strategies] for run in runs])


def last(run: Run, name: str, metric: str) -> Estimate:
    """A metric at the last cycle, over the complete seeds."""
    values = summary.complete_curves(run, name, metric)[1]
    return summary.estimate(values[:, -1] if len(values) else [])


def balanced_accuracy(run: Run, name: str) -> Estimate:
    """Mean recall over the classes that are tested, at the last cycle."""
    own = run.lanes.get(name)
    if own is None or not own.whole.any() or not own.recall.shape[2]:
        return summary.estimate([])
    return summary.estimate(np.nanmean(own.recall[own.whole, -1], axis=1))


def labels_to_share(run: Run, name: str, full: Mapping[str, Any]) -> Level | None:
    """Labels to `SHARE` of the macro F1 that all labels give; None where that is not known."""
    return summary.labels_to_level(run, name, SHARE * full["macro_f1"]) if full else None


def seconds(run: Run, name: str, stage: str) -> float:
    """Median of a stage over the seeds and the cycles but the first, which compiles."""
    stage = f"{stage}_s"
    known = [row[stage] for row in run.timings if row.get("strategy") == name and row["cycle"] > 0 and stage in row]
    return float(np.median(known)) if known else np.nan
