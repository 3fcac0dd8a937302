"""Figures of a run: learning curves, and the classes of the labels it ended with.

Colour and marker tell the variant of a strategy (plain, cb, fbu, alfamous), line style and filled or open
markers its utility family (us, bald), so that the lines are told apart in grey too. Colours are those of
Okabe and Ito.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.report import summary

BLACK, GREY = "#000000", "#777777"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
VARIANT_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (VERMILLION, "D"), (PURPLE, "v"), (SKY, "P"))
FAMILY_LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
UNIFORM = {"color": BLACK, "linewidth": 0.9, "linestyle": (0, (4, 2))}
PANELS = (("accuracy", "Accuracy"), ("macro_f1", "Macro F1"), ("cbi", "Class balance index (min-max)"))


def learning_curves(records: Sequence[dict], path: pathlib.Path) -> None:
    """Accuracy, macro F1 and CBI over the labels known: mean over seeds, band of one standard error.

    More families of strategies than line styles get a panel each, of macro F1 alone.

    Args:
      records: of the run; at each cycle every seed counts that has a value.
      path: the PNG to write, replaced at once.
    """
    names = summary.strategies(records)
    if len(_families_and_variants(names)[0]) > len(FAMILY_LINES):
        _family_curves(records, names, path)
        return
    figure = Figure(figsize=(11, 4.3), layout="constrained")
    for axis, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        learning_curve(axis, records, names, metric)
        clean(axis, title, "Labelled rows")
    strategy_legend(figure, names)
    save(figure, path)


def _family_curves(records, names, path):
    """Macro F1, a panel for each family; random sampling in all of them, the other strategies in pale grey."""
    families = _families_and_variants(names)[0]
    ncols = min(4, len(families))
    nrows = -(-len(families) // ncols)
    figure = Figure(figsize=(2.9 * ncols, 0.8 + 2.1 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, sharex=True, sharey=True, squeeze=False).ravel()
    everything = [
        [[summary.estimate(column).mean for column in summary.curves(records, name, metric)[1].T] for name in names]
        for metric in ("num_labelled", "macro_f1")
    ]
    for axis, family in zip(axes, families, strict=False):
        own = [name for name in names if summary.split_name(name)[0] == family]
        drawn = [*(name for name in names if name == "random"), *own]
        for labels, means in zip(*everything, strict=True):
            axis.plot(labels, means, color="#dddddd", linewidth=0.8)
        learning_curve(axis, records, drawn, "macro_f1", drawn)
        axis.legend(
            handles=[Line2D([], [], **line_style(name, drawn), label=name) for name in drawn], fontsize=7, frameon=False
        )
        clean(axis, family, "Labelled rows")
    for axis in axes[len(families) :]:
        axis.set_axis_off()
    figure.supylabel("Macro F1", fontsize=9)
    save(figure, path)


def class_counts(records: Sequence[dict], path: pathlib.Path, class_names: Sequence[str] | None = None) -> bool:
    """How many labels of each class a run ended with, one panel per strategy.

    Classes stand in the order of their frequency under random sampling, which every panel repeats as a
    grey outline; the broken line is a uniform distribution. If the frequent classes are others in every
    seed, the order is taken in each seed and a place on the axis is a rank, not a class; the outline is then
    steeper than the pool, since it is sorted by its own chance.

    Args:
      records: of the run; means over the seeds that reached the last cycle.
      path: the PNG to write, replaced at once.
      class_names: one name per class; numbers if not given.

    Returns:
      whether there were counts to draw; if not, nothing is written.
    """
    final = _final_counts(records)
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
        color = line_style(name, summary.strategies(records))["color"]
        _draw_counts(axis, ordered[name], random if name != "random" else None, color)
        clean(axis, name)
        axis.tick_params(axis="x", length=0, labelbottom=name in names[-ncols:])
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    _label_classes(axes[0], order, len(ordered[names[0]]), class_names)
    figure.supylabel("Labelled rows", fontsize=9)
    what = "Rank of the class in its seed" if order is None else "Class"
    figure.supxlabel(f"{what}, most frequent{'' if random is None else ' under random sampling'} first", fontsize=9)
    handles = [Patch(fill=False, edgecolor=GREY, label="random sampling"), Line2D([], [], label="uniform", **UNIFORM)]
    outlined = random is not None and names != ["random"]
    handles = handles if outlined else handles[1:]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=8.5, frameon=False)
    save(figure, path)
    return True


def line_style(name: str, names: Sequence[str]) -> dict:
    """How a strategy is drawn among others: colour and marker of its variant, line of its utility family."""
    if name == "random":
        return {"color": BLACK, "linestyle": (0, (1, 1.2)), "linewidth": 1.5}
    families, variants = _families_and_variants(names)
    family, variant = summary.split_name(name)
    slots = [*summary.VARIANTS, *(v for v in variants if v not in summary.VARIANTS)]
    color, marker = VARIANT_STYLES[slots.index(variant) % len(VARIANT_STYLES)]
    index = families.index(family)
    line = {"color": color, "linestyle": FAMILY_LINES[index % len(FAMILY_LINES)], "linewidth": 1.4}
    return {**line, "marker": marker, "markersize": 4.2, "mfc": "white" if index % 2 else color}


def place_style(name: str, names: Sequence[str]) -> dict:
    """How a strategy is drawn by its place alone: six colours and markers, then other lines; random in black."""
    if name.partition(":")[0] == "random":
        marker = {"marker": "x", "markersize": 5}
        return {"color": BLACK, "linestyle": _line(name, names), "linewidth": 1.5, **marker}
    bases = [*dict.fromkeys(base for other in names if (base := other.partition(":")[0]) != "random")]
    again, place = divmod(bases.index(name.partition(":")[0]), len(VARIANT_STYLES))
    color, marker = VARIANT_STYLES[place]
    line = {"color": color, "linestyle": _line(name, names, again), "linewidth": 1.4}
    return {**line, "marker": marker, "markersize": 4.5, "mfc": "white" if again % 2 else color}


def _line(name, names, again=0):
    """A line for each scheme of training, if strategies are run under several."""
    schemes = [*dict.fromkeys(other.partition(":")[2] for other in names)]
    if len(schemes) > 1:
        return FAMILY_LINES[schemes.index(name.partition(":")[2]) % len(FAMILY_LINES)]
    return FAMILY_LINES[again % len(FAMILY_LINES)] if name.partition(":")[0] != "random" else FAMILY_LINES[2]


def _families_and_variants(names: Sequence[str]) -> tuple[list[str], list[str]]:
    parts = [summary.split_name(name) for name in names if name != "random"]
    present = [variant for _, variant in parts]
    variants = dict.fromkeys([*(v for v in summary.VARIANTS if v in present), *present])
    return list(dict.fromkeys(family for family, _ in parts)), list(variants)


def strategy_legend(figure: Figure, names: Sequence[str]) -> None:
    """A legend under the panels, one column per variant."""
    columns = [["random"]] if "random" in names else []
    for variant in _families_and_variants(names)[1]:
        columns.append([name for name in names if name != "random" and summary.split_name(name)[1] == variant])
    height = max(len(column) for column in columns)
    handles = []
    for column in columns:
        handles += [Line2D([], [], **line_style(name, names), label=name) for name in column]
        handles += [Line2D([], [], linestyle="", label=" ")] * (height - len(column))
    place = {"loc": "outside lower center", "ncols": len(columns)}
    figure.legend(handles=handles, **place, fontsize=9, frameon=False, handlelength=3.6)


def learning_curve(axis, records: Sequence[dict], drawn: Sequence[str], metric: str, names=None) -> None:
    """A metric over the labels known, with `band`; `names` are the strategies that share the styles, or those drawn."""
    for index, name in enumerate(drawn):
        labels = [summary.estimate(column).mean for column in summary.curves(records, name, "num_labelled")[1].T]
        step = max(1, len(labels) // 5)
        style = {**line_style(name, names or drawn), "markevery": (index % step, step)}
        band(axis, labels, summary.curves(records, name, metric)[1], style)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.margins(x=0.02)


def band(axis, x: Sequence[float], values: np.ndarray, style: dict) -> None:
    """A line for the mean of `values` [seeds, points], NaN left out, in a band of one standard error."""
    points = [summary.estimate(column) for column in values.T]
    mean, se = np.array([p.mean for p in points]), np.nan_to_num([p.se for p in points])
    axis.fill_between(x, mean - se, mean + se, color=style["color"], alpha=0.16, linewidth=0)
    axis.plot(x, mean, **style)


def _draw_counts(axis, counts: np.ndarray, reference: np.ndarray | None, color: str) -> None:
    axis.bar(np.arange(len(counts)), counts, width=0.8, color=GREY if color == BLACK else color, alpha=0.85)
    axis.axhline(counts.sum() / len(counts), **UNIFORM)
    if reference is not None:
        axis.stairs(reference, np.arange(len(counts) + 1) - 0.5, color=GREY, linewidth=1.1)


def _label_classes(axis, order, num_classes: int, class_names: Sequence[str] | None) -> None:
    if order is None:
        ticks = range(4, num_classes, 5)
        axis.set_xticks(ticks, [str(tick + 1) for tick in ticks], fontsize=8)
        return
    labels = [class_names[i] if class_names else str(i) for i in order]
    crowded = len(labels) * max(len(label) for label in labels) > 40
    axis.set_xticks(np.arange(num_classes), labels, fontsize=6.5, rotation=90 if crowded else 0)


def _final_counts(records) -> dict[str, dict[int, np.ndarray]]:
    """Counts at the last cycle by strategy and seed."""
    last = summary.last_cycle(records)
    final = {name: {} for name in summary.strategies(records)}
    for record in records:
        if record["cycle"] == last and record.get("counts"):
            final[record["strategy"]][record["seed"]] = np.array(record["counts"], dtype=float)
    return {name: by_seed for name, by_seed in final.items() if by_seed}


def _in_order(final) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
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


def clean(axis, title: str, xlabel: str | None = None) -> None:
    """The look that all panels share; those with a label below have grid lines."""
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, length=3)
    if xlabel is not None:
        axis.set_xlabel(xlabel, fontsize=9)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a PNG, replaced at once."""
    temporary = path.with_name(path.name + ".tmp")
    figure.savefig(temporary, format="png", dpi=160)
    os.replace(temporary, path)
