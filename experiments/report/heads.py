"""What each strategy's last layer was: whether it fits its own labels, and which map and ridge were chosen."""

from collections import Counter

import numpy as np

from experiments.report.markdown import NOTHING, Part, number
from experiments.report.runs import Lanes, Run

FITS = 0.9  # accuracy on the labelled rows below which a network has not learnt them


def write_sections(run: Run) -> list[Part]:
    """A heading, warnings and a table; none of a run that has recorded no training accuracy."""
    if not any(np.isfinite(own.metrics["train_accuracy"]).any() for own in run.lanes.values()):
        return []
    chosen = any(np.isfinite(own.metrics["ridge"]).any() for own in run.lanes.values())
    rows = [[name, *_cells(own)[: None if chosen else 2]] for name, own in run.lanes.items()]
    header = ["strategy", "labelled rows", "test rows", "maps chosen", "ridges chosen"]
    return [
        "## Last layer\n\nAccuracy on the labelled rows and on the test rows, means over all cycles and seeds"
        + "; how often each feature map was chosen, and the range of the ridges." * chosen
        + "." * (not chosen),
        *_warnings(run),
        (header if chosen else header[:3], rows),
    ]


def _cells(own: Lanes) -> list[str]:
    metrics, maps = own.metrics, Counter(name for name in own.maps.ravel().tolist() if name)
    ridges = metrics["ridge"][np.isfinite(metrics["ridge"])]
    known = np.isfinite(metrics["train_accuracy"])
    accuracies = [
        float(metrics[name][known].mean()) if known.any() else np.nan for name in ("train_accuracy", "accuracy")
    ]
    return [
        *(number(value, 3) for value in accuracies),
        ", ".join(f"{name} {count}" for name, count in maps.most_common()) or NOTHING,
        f"{ridges.min():g} to {ridges.max():g}" if ridges.size else NOTHING,
    ]


def _warnings(run: Run) -> list[str]:
    """Fits that ended early, and networks that do not know their own labels."""
    failed = {name: int(own.failed.sum()) for name, own in run.lanes.items() if own.failed.any()}
    found = [f"**{name}: {count} fits of the last layer did not converge.**" for name, count in failed.items()]
    if run.config.get("head") == "map":  # a large ridge is a choice there
        return found
    last = {name: float(np.nanmean(own.metrics["train_accuracy"][:, -1:])) for name, own in run.lanes.items() if
            np.isfinite(own.metrics["train_accuracy"][:, -1]).any()}  # fmt: skip
    weak = [f"{name} {value:.2f}" for name, value in last.items() if value < FITS]
    if weak:
        found.append(
            f"**The network does not fit its own labels**: at the last cycle it is right on these shares of them: "
            f"{', '.join(weak)}. Scores then say little about the strategies. More config.epochs, another "
            "config.learning_rate or config.scaling, or config.refit may help."
        )
    return found
