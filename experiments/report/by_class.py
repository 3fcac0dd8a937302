"""What each strategy knows of each class at the end of a run: recall on the test rows, and labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.report.markdown import NOTHING, Part, number
from experiments.report.names import plain
from experiments.report.runs import Lanes, Run

MOST = 20  # classes in the table, the rarest ones


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
    ]


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
