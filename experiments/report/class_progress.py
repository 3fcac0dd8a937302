"""How a run finds its classes: imbalance ratio and classes found over the labels, switches, schemes compared.

The layout is that of minority-class-oriented sampling (ICPR 2020): Fig. 1 and 3 are accuracies over the budget, Fig. 2
and 4 imbalance ratios, Fig. 5 compares schemes of training.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plan.strategies import SCHEMES, strategy
from experiments.report import figures, summary
from experiments.report.markdown import p_value, plus_minus

PANELS = (("accuracy", "Accuracy"), ("imbalance_ratio", "Imbalance ratio of the labels"), ("found", "Classes found"))
SCHEME_PAIRS = (("cs-svm", "svm"), ("network-th", "network"), ("network-th", "cs-svm"), ("switch", "cs-svm"))
NUM_COLUMNS = 7


def with_counts(records: Sequence[dict]) -> list[dict]:
    """The records with `imbalance_ratio`, deviation over mean of the class counts, and `found`, classes labelled."""
    more = []
    for record in records:
        counts = np.array(record.get("counts") or [np.nan], float)
        more.append(record | {"imbalance_ratio": float(counts.std() / counts.mean()), "found": int((counts > 0).sum())})
    return more


def write_sections(records: Sequence[dict], config: dict, workdir: pathlib.Path) -> list:
    """The paragraphs and tables of a report, and `progress.png` beside them.

    Args:
      records: of the run.
      config: of the run.
      workdir: where the figure goes.

    Returns:
      paragraphs and (header, rows); none where no strategy is of these papers and no scheme but the network is used.
    """
    names = summary.strategies(records)
    methods = {strategy(name).method for name in names}
    if not methods & {"minority", "centroids"} and not any(":" in n for n in names) and _scheme(config) == "network":
        return []
    records = with_counts(records)
    draw(records, workdir / "progress.png")
    sections = [
        "## Classes over the labels\n\nImbalance ratio of what is labelled, deviation over mean of the class counts, 0 "
        "if balanced; mean over the seeds at single numbers of labels (minority-class-oriented sampling, Fig. 2).",
        ratio_table(records),
        "![Accuracy, imbalance ratio and classes found](progress.png)",
        "*Mean over the seeds and one standard error. A ring is where a seed went over from the SVM to the network.*",
    ]
    if rows := switches(records):
        sections += [
            "Labels at the first cycle that the network was trained in.",
            (["strategy", "labels, by seed"], rows),
        ]
    if rows := scheme_pairs(records):
        sections += [
            "Schemes of training: mean accuracy over the cycles in points, first minus second, seed by seed; "
            "two-sided p.",
            (["strategy", "schemes", "points", "ahead", "p (t-test)"], rows),
        ]
    return sections


def ratio_table(records: Sequence[dict]) -> tuple[list, list]:
    """Header and rows of the imbalance ratio at up to `NUM_COLUMNS` cycles; lowest in bold."""
    last = summary.last_cycle(records)
    cycles = sorted({round(x) for x in np.linspace(0, last, min(NUM_COLUMNS, last + 1))})
    names = summary.strategies(records)
    curves = {name: summary.curves(records, name, "imbalance_ratio")[1] for name in names}
    labels = summary.curves(records, names[0], "num_labelled")[1][0]
    lowest = [min(summary.estimate(curve[:, c]).mean for curve in curves.values()) for c in cycles]
    rows = []
    for name in names:
        cells = []
        for cycle, best in zip(cycles, lowest, strict=True):
            mean, se, _ = summary.estimate(curves[name][:, cycle])
            cells.append(f"**{plus_minus(mean, se, 3)}**" if mean <= best else plus_minus(mean, se, 3))
        rows.append([name, *cells])
    return ["strategy", *(f"{labels[cycle]:.0f} labels" for cycle in cycles)], rows


def switches(records: Sequence[dict]) -> list[list[str]]:
    """Rows of text: strategy and, for each seed of a lane that may switch, the labels at which it did."""
    rows = []
    for name in summary.strategies(records):
        own = [r for r in records if r["strategy"] == name and "scheme" in r]
        first = {seed: _first_network(own, seed) for seed in sorted({r["seed"] for r in own})}
        if first:
            rows.append([name, ", ".join("never" if r is None else str(r["num_labelled"]) for r in first.values())])
    return rows


def scheme_pairs(records: Sequence[dict]) -> list[list[str]]:
    """Rows of text: each strategy under two schemes, where a run has both."""
    names, rows = summary.strategies(records), []
    for base in dict.fromkeys(name.partition(":")[0] for name in names):
        for first, second in SCHEME_PAIRS:
            if {f"{base}:{first}", f"{base}:{second}"} <= set(names):
                found = summary.compare(records, f"{base}:{first}", f"{base}:{second}", "accuracy")
                points = plus_minus(100 * found.mean, 100 * found.se, 2, "+")
                rows.append([base, f"{first} - {second}", points, f"{found.wins} of {found.num}", p_value(found.t_p)])
    return rows


def draw(records: Sequence[dict], path: pathlib.Path) -> None:
    """Accuracy, imbalance ratio and classes found over the labels known.

    Args:
      records: of `with_counts`.
      path: the PNG to write, replaced at once.
    """
    names = summary.strategies(records)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    for axis, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for name in names:
            style = figures.place_style(name, names)
            values = summary.curves(records, name, metric)[1]
            labels = [summary.estimate(column).mean for column in summary.curves(records, name, "num_labelled")[1].T]
            known = ~np.isnan(labels)
            step = max(1, known.sum() // 5)
            figures.band(axis, np.array(labels)[known], values[:, known], {**style, "markevery": step})
            own = [r for r in records if r["strategy"] == name and "scheme" in r]
            marks = [r for seed in {r["seed"] for r in own} if (r := _first_network(own, seed))]
            ring = {"linestyle": "", "marker": "o", "markersize": 8, "mfc": "none", "color": style["color"]}
            axis.plot([r["num_labelled"] for r in marks], [r[metric] for r in marks], **ring)
        figures.clean(axis, title, "Labelled rows")
    handles = [Line2D([], [], **figures.place_style(name, names), label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9, frameon=False, handlelength=3.6)
    figures.save(figure, path)


def _first_network(records, seed):
    """The first record of a lane that the network was trained in."""
    own = sorted((r for r in records if r["seed"] == seed), key=lambda r: r["cycle"])
    return next((r for r in own if r["scheme"] in SCHEMES[:2]), None)


def _scheme(config):
    return config.get("scheme", "network")
