"""How many labels of each class a run ended with."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.report import CLASSES
from experiments.report.names import visible
from experiments.report.runs import Run
from experiments.report.styles import BLACK, GREY, clean, line_style, save

UNIFORM: dict[str, Any] = {"color": BLACK, "linewidth": 0.9, "linestyle": (0, (4, 2))}

LONGEST = 24  # signs of a class's name under a bar


def class_counts(run: Run) -> bool:
    """Draws `CLASSES`, one panel per strategy: means over the seeds that reached the last cycle.

    Classes stand in the order of their frequency under random sampling, which every panel repeats as a
    grey outline; the broken line is a uniform distribution. If the frequent classes are others in every
    seed, the order is taken in each seed and a place on the axis is a rank, not a class; the outline is then
    steeper than the pool, since it is sorted by its own chance.

    Returns:
      whether there were counts to draw; if not, nothing is written.
    """
    final = _final_counts(run)
    if not final:
        return False
    ordered, order = _in_order(final)
    random = ordered.get("random")
    names = [name for name in ordered if name != "random"] or ["random"]
    ncols = min(4, len(names))
    nrows = -(-len(names) // ncols)
    figure = Figure(figsize=(max(2.75 * ncols, 4.5), 0.7 + 1.9 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        color = line_style(run.lanes[name].strategy, run.strategies)["color"]
        _draw_counts(axis, ordered[name], random if name != "random" else None, color)
        clean(axis, name)
        axis.tick_params(axis="x", length=0, labelbottom=name in names[-ncols:])
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    class_names = (run.environment.get("data") or {}).get("classes")
    _label_classes(axes[0], order, len(ordered[names[0]]), class_names)
    figure.supylabel("Labelled rows", fontsize=9)
    what = "Rank of the class in its seed" if order is None else "Class"
    figure.supxlabel(f"{what}, most frequent{'' if random is None else ' under random sampling'} first", fontsize=9)
    handles = [Patch(fill=False, edgecolor=GREY, label="random sampling"), Line2D([], [], label="uniform", **UNIFORM)]
    outlined = random is not None and names != ["random"]
    handles = handles if outlined else handles[1:]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=8.5, frameon=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # of letters that the font lacks, drawn as boxes
        save(figure, run.folder / CLASSES)
    return True


def _draw_counts(axis: Axes, counts: np.ndarray, reference: np.ndarray | None, color: str) -> None:
    axis.bar(np.arange(len(counts)), counts, width=0.8, color=GREY if color == BLACK else color, alpha=0.85)
    axis.axhline(counts.sum() / len(counts), **UNIFORM)
    if reference is not None:
        axis.stairs(reference, np.arange(len(counts) + 1) - 0.5, color=GREY, linewidth=1.1)


def _label_classes(axis: Axes, order: np.ndarray | None, num_classes: int, class_names: Sequence[str] | None) -> None:
    if order is None:
        ticks = range(4, num_classes, 5)
        axis.set_xticks(ticks, [str(tick + 1) for tick in ticks], fontsize=8)
        return
    known = class_names if class_names and len(class_names) == num_classes else range(num_classes)
    labels = [visible(known[i], LONGEST).replace("$", r"\$") for i in order]  # no mathematics, in any panel
    crowded = len(labels) * max(len(label) for label in labels) > 40
    axis.set_xticks(np.arange(num_classes), labels, fontsize=6.5, rotation=90 if crowded else 0)


def _final_counts(run: Run) -> dict[str, dict[int, np.ndarray]]:
    """Counts at the last cycle by strategy and seed."""
    final = {}
    for name, own in run.lanes.items():
        rows = zip(own.seeds, own.counted[:, -1], own.counts[:, -1], strict=True)
        final[name] = {seed: counts for seed, known, counts in rows if known}
    return {name: by_seed for name, by_seed in final.items() if by_seed}


def _in_order(final: dict[str, dict[int, np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Mean counts, most frequent class first, and that order; None if every seed has its own."""
    seeds = sorted({seed for by_seed in final.values() for seed in by_seed})
    reference = {}
    for seed in seeds:
        known = final.get("random", {}).get(seed)
        rows = [by_seed[seed] for by_seed in final.values() if seed in by_seed] if known is None else [known]
        reference[seed] = np.mean(rows, axis=0)
    shared = np.argsort(-np.mean(list(reference.values()), axis=0), kind="stable")
    same = _classes_agree(np.array(list(reference.values())))
    orders = {seed: shared if same else np.argsort(-reference[seed], kind="stable") for seed in seeds}
    means = {name: np.mean([n[orders[seed]] for seed, n in by_seed.items()], axis=0) for name, by_seed in final.items()}
    return means, shared if same else None


def _classes_agree(counts: np.ndarray) -> bool:
    """Whether the seeds [seeds, classes] agree on the frequent classes: mean correlation above 1/2."""
    deviations = counts - counts.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(deviations, axis=1)
    units = deviations[norms > 0] / norms[norms > 0, None]
    if len(units) < 2:
        return True
    correlations = (units @ units.T)[np.triu_indices(len(units), k=1)]
    return bool(correlations.mean() > 0.5)
