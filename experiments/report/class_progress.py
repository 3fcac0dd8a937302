"""How a run finds its classes: imbalance ratio and classes found over the labels, switches, schemes compared.

The layout is that of minority-class-oriented sampling (ICPR 2020): Fig. 1 and 3 are accuracies over the budget, Fig. 2
and 4 imbalance ratios, Fig. 5 compares schemes of training.
"""

import numpy as np
from matplotlib.figure import Figure

from experiments.plan.strategies import NETWORKS
from experiments.report import PROGRESS, styles, summary
from experiments.report.markdown import Part, p_value, plus_minus
from experiments.report.runs import Lanes, Run

PANELS = (("accuracy", "Accuracy"), ("imbalance_ratio", "Imbalance ratio of the labels"), ("found", "Classes found"))
SCHEME_PAIRS = (("cs-svm", "svm"), ("network-th", "network"), ("network-th", "cs-svm"), ("switch", "cs-svm"))
NUM_COLUMNS = 7
OF_THE_PAPER = ("cmcs", "umcs", "dmcs", "cds")  # how the names of its strategies and of what it compares them to begin


def write_sections(run: Run) -> list[Part]:
    """The paragraphs and tables of a report, and `PROGRESS` beside them.

    Returns:
      paragraphs and (header, rows); none where no strategy is of these papers and no scheme but the network is used.
    """
    usual = run.config.get("scheme", "network") == "network" and not any(one.scheme for one in run.strategies)
    if usual and not any(one.base.partition("-")[0] in OF_THE_PAPER for one in run.strategies):
        return []
    draw(run)
    sections: list[Part] = [
        "## Classes over the labels\n\nImbalance ratio of what is labelled, deviation over mean of the class counts, 0 "
        "if balanced; mean over the seeds at single numbers of labels (minority-class-oriented sampling, Fig. 2).",
        ratio_table(run),
        f"![Accuracy, imbalance ratio and classes found]({PROGRESS})",
        "*Mean over the seeds and one standard error. A ring is where a seed went over from the SVM to the network.*",
    ]
    if rows := switches(run):
        sections += [
            "Labels at the first cycle that the network was trained in.",
            (["strategy", "labels, by seed"], rows),
        ]
    if rows := scheme_pairs(run):
        sections += [
            "Schemes of training: mean accuracy over the cycles in points, first minus second, seed by seed; "
            "two-sided p.",
            (["strategy", "schemes", "points", "ahead", "p (t-test)"], rows),
        ]
    return sections


def ratio_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the imbalance ratio at up to `NUM_COLUMNS` cycles; lowest in bold."""
    cycles = sorted({round(x) for x in np.linspace(0, run.last_cycle, min(NUM_COLUMNS, run.last_cycle + 1))})
    curves = {name: own.metrics["imbalance_ratio"] for name, own in run.lanes.items()}
    labels = next(iter(run.lanes.values())).metrics["num_labelled"][0]
    lowest = [min(summary.estimate(curve[:, c]).mean for curve in curves.values()) for c in cycles]
    rows = []
    for name, curve in curves.items():
        cells = []
        for cycle, best in zip(cycles, lowest, strict=True):
            mean, se, _ = summary.estimate(curve[:, cycle])
            cells.append(f"**{plus_minus(mean, se, 3)}**" if mean <= best else plus_minus(mean, se, 3))
        rows.append([name, *cells])
    return ["strategy", *(f"{labels[cycle]:.0f} labels" for cycle in cycles)], rows


def switches(run: Run) -> list[list[str]]:
    """Rows of text: strategy and, for each seed of a lane that may switch, the labels at which it did."""
    rows = []
    for name, own in run.lanes.items():
        labels = [
            "never" if cycle is None else f"{own.metrics['num_labelled'][row, cycle]:.0f}"
            for row, cycle in _first_networks(own).items()
        ]
        if labels:
            rows.append([name, ", ".join(labels)])
    return rows


def scheme_pairs(run: Run) -> list[list[str]]:
    """Rows of text: each strategy under two schemes, where a run has both."""
    rows = []
    for base in dict.fromkeys(one._replace(scheme="") for one in run.strategies):
        for first, second in SCHEME_PAIRS:
            names = str(base._replace(scheme=first)), str(base._replace(scheme=second))
            if set(names) <= run.lanes.keys():
                found = summary.compare(run, *names, "accuracy")
                points = plus_minus(100 * found.mean, 100 * found.se, 2, "+")
                ahead = f"{found.wins} of {found.num}"
                rows.append([str(base), f"{first} - {second}", points, ahead, p_value(found.t_p)])
    return rows


def draw(run: Run) -> None:
    """Draws `PROGRESS`: accuracy, imbalance ratio and classes found over the labels known."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    for axis, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for own in run.lanes.values():
            style = styles.place_style(own.strategy, run.strategies)
            values, num_labelled = own.metrics[metric], own.metrics["num_labelled"]
            labels = summary.mean_curve(num_labelled)
            known = ~np.isnan(labels)
            step = max(1, known.sum() // 5)
            styles.band(axis, labels[known], values[:, known], {**style, "markevery": step})
            marks = [(row, cycle) for row, cycle in _first_networks(own).items() if cycle is not None]
            ring = {"linestyle": "", "marker": "o", "markersize": 8, "mfc": "none", "color": style["color"]}
            axis.plot([num_labelled[at] for at in marks], [values[at] for at in marks], **ring)
        styles.clean(axis, title, "Labelled rows")
    styles.place_legend(figure, run.strategies)
    styles.save(figure, run.folder / PROGRESS)


def _first_networks(own: Lanes) -> dict[int, int | None]:
    """Row of a seed that tells its schemes -> the first cycle that the network was trained in."""
    rows = [row for row in range(len(own.seeds)) if (own.schemes[row] != "").any()]
    cycles = {row: np.flatnonzero(np.isin(own.schemes[row], NETWORKS)) for row in rows}
    return {row: int(found[0]) if found.size else None for row, found in cycles.items()}
