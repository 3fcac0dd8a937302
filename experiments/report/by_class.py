"""What each strategy knows of each class at the end of a run: recall and labels; and how sure it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.report.checked import BEYOND
from experiments.report.markdown import NOTHING, Part, number
from experiments.report.names import plain
from experiments.report.runs import Lanes, Run

MOST = 20  # classes in the table, the rarest ones
SUMMARY = ("strategy", "balanced accuracy", "worst class", "rare", "middle", "common", "log loss", "calibration error")


def write_sections(run: Run) -> list[Part]:
    """A heading and a table; none of a run that has recorded no recall, or no counts of its data."""
    data: Mapping[str, Any] = run.environment.get("data") or {}
    if "left" not in data or not any(np.isfinite(own.recall).any() for own in run.lanes.values()):
        return []
    counts = np.array(data["left"])
    order = np.argsort(counts, kind="stable")[:MOST]
    which = "every class" if len(order) == len(counts) else f"the {MOST} rarest of {len(counts)} classes"
    names = data.get("classes") or [str(k) for k in range(len(counts))]
    ends = {name: _at_the_end(own) for name, own in run.lanes.items()}
    rows = [
        [plain(names[k]), f"{counts[k]:,}", f"{data['tested'][k]:,}", *(_cell(end, k) for end in ends.values())]
        for k in order
    ]
    return [
        f"## Classes\n\nRecall of {which} at cycle {run.last_cycle}, the share of its test rows that are recognised, "
        "and in parentheses its labels by then; means over the seeds, the rarest class first.",
        (["class", "pool", "tested", *ends], rows),
        "By thirds of the classes: those with the fewest rows in the pool, the middle ones, those with the most. Log "
        "loss and calibration error are of the softmax on the test rows.",
        (list(SUMMARY), [_summary(name, own, ends[name][0], counts) for name, own in run.lanes.items()]),
    ]


def _summary(name: str, own: Lanes, recall: np.ndarray, counts: np.ndarray) -> list[str]:
    thirds = np.array_split(np.argsort(counts, kind="stable"), 3)
    means = [_mean(recall[[k for k in third if k < len(recall)]]) for third in thirds]
    last = {metric: _mean(own.metrics[metric][own.whole, -1]) for metric in BEYOND}
    worst, balanced = last["worst_recall"], last["balanced_accuracy"]
    sure = last["log_loss"], last["calibration_error"]
    return [name, *(number(value, 3) for value in (balanced, worst, *means, *sure))]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _at_the_end(own: Lanes) -> tuple[np.ndarray, np.ndarray]:
    """Mean recall and labels of each class over the complete seeds [K], NaN where there is none."""
    recall, labels = (values[own.whole, -1] for values in (own.recall, own.counts))
    known = ~np.isnan(recall)
    total, num = np.where(known, recall, 0.0).sum(axis=0), known.sum(axis=0)
    mean = np.divide(total, num, out=np.full(recall.shape[1], np.nan), where=num > 0)
    return mean, labels.mean(axis=0) if len(labels) else np.full(labels.shape[1], np.nan)


def _cell(end: tuple[np.ndarray, np.ndarray], k: int) -> str:
    recall, labels = (float(values[k]) if k < len(values) else np.nan for values in end)
    return NOTHING if np.isnan(labels) else f"{number(recall, 2)} ({number(labels, 1)})"
