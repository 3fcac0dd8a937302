"""Classes that a config makes rare: accuracies as VaB-AL tabulates them, and who labels the rare ones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.published import images, vabal
from experiments.report import RARE, styles, summary
from experiments.report.markdown import NOTHING, Part, number, p_value, plus_minus
from experiments.report.missing import ranges
from experiments.report.runs import Lanes, Run


def write_sections(run: Run) -> list[Part]:
    """The paragraphs and the table of a report, and `RARE` beside them.

    Returns:
      paragraphs and (header, rows); none where the config names no classes to cut.
    """
    minority = run.config.get("minority")
    classes = next(iter(run.lanes.values())).counts.shape[2]
    if not isinstance(minority, (list, tuple)) or any(k >= classes for k in minority):
        return []
    cut = f"Classes {ranges(minority)} keep {run.config.get('minority_ratio')} of their rows" if minority else ""
    sections: list[Part] = [
        "## Rare classes\n\n" + f"{cut or 'No class is cut'}. Accuracy in % on the test set, mean over all rounds, the "
        "first included, and in the last; share of the labels that are of a class that is cut (VaB-AL, Tables 1 and 2, "
        "Fig. 9).",
        rare_table(run, minority),
        *images.note(vabal.load_accuracies, run.config),
    ]
    if trials := trial_rows(run):
        seeds = [f"seed {seed}" for seed in run.seeds]
        sections += ["Single trials: accuracy in % in the last round, seed by seed.", (["strategy", *seeds], trials)]
    if pairs := vabal_pairs(run):
        sections += [
            "VaB-AL minus each other strategy, accuracy in points over the rounds after the first, seed by seed; "
            "two-sided p, not corrected for their number.",
            (["vabal minus", "seeds", "points", "ahead", "p (t-test)"], pairs),
        ]
    if draw_rare(run, minority):
        sections += [
            f"![Rare classes]({RARE})",
            "*Left: share of the labels that are of a class that is cut. Right: accuracy of each class over its "
            "labels in the last round, mean over the seeds; large if the class is not cut (VaB-AL, Fig. 6).*",
        ]
    return sections


def rare_table(run: Run, minority: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: accuracies and the share of rare classes, the published numbers in columns of their own.

    Args:
      run: it; its config tells whether VaB-AL has published its accuracies.
      minority: the classes cut.

    Returns:
      header, rows of text.
    """
    (published, mark), rows = images.load(vabal.load_accuracies, run.config), []
    paper = f"paper{mark}"
    header = ["strategy", "seeds", "mean", paper, "last", paper, "rare, first", "rare, mean", "rare, last"]
    for name, own in run.lanes.items():
        _, curves = summary.complete_curves(run, name, "accuracy")
        shares = _shares(own, minority)
        estimates = [summary.estimate(100 * x) for x in (curves.mean(axis=1), curves[:, -1])] if len(curves) else []
        cells = [plus_minus(e.mean, e.se, 2) for e in estimates] or [NOTHING] * 2
        printed = [number(x, 2) for x in published.get(name, (np.nan, np.nan))]
        ends = (shares[:, 0], shares.mean(axis=1), shares[:, -1]) if len(shares) and len(minority) else ()
        rare = [number(float(x.mean()), 3) for x in ends] or [NOTHING] * 3
        rows.append([name, str(len(curves)), cells[0], printed[0], cells[1], printed[1], *rare])
    return header, rows


def trial_rows(run: Run) -> list[list[str]]:
    """Rows of text: the last accuracy of every seed that is complete, the highest of a seed in bold (Fig. 14 to 23)."""
    ends = {}
    for name in run.lanes:
        seeds, curves = summary.complete_curves(run, name, "accuracy")
        ends[name] = dict(zip(seeds, 100 * curves[:, -1], strict=True))
    best = {seed: max(own[seed] for own in ends.values() if seed in own) for own in ends.values() for seed in own}
    rows = []
    for name, own in ends.items():
        cells = [number(own.get(seed, np.nan), 2) for seed in run.seeds]
        won = [own.get(seed) == best.get(seed) and seed in own for seed in run.seeds]
        rows.append([name, *(f"**{cell}**" if first else cell for cell, first in zip(cells, won, strict=True))])
    return rows if len(run.seeds) > 1 else []


def vabal_pairs(run: Run) -> list[list[str]]:
    """Rows of text: `vabal` against every other strategy; none without it."""
    rows = []
    for name in run.lanes if "vabal" in run.lanes else ():
        if name != "vabal":
            mean, se, num, wins, p, _ = summary.compare(run, "vabal", name, "accuracy")
            rows.append([name, str(num), plus_minus(100 * mean, 100 * se, 2, "+"), f"{wins} of {num}", p_value(p)])
    return rows


def draw_rare(run: Run, minority: Sequence[int]) -> bool:
    """Share of the rare classes over the labels known, and accuracy of each class over its labels.

    Args:
      run: it; without recalls the second panel stays empty.
      minority: the classes cut.

    Returns:
      whether there was something to draw; if not, nothing is written.
    """
    drawn = [own for own in run.lanes.values() if len(_shares(own, minority))]
    if not drawn or not len(minority):
        return False
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    strategies = [own.strategy for own in drawn]
    for own in drawn:
        style = styles.place_style(own.strategy, strategies)
        labels = own.metrics["num_labelled"][own.whole].mean(axis=0)
        styles.band(left, labels, _shares(own, minority), style)
        _draw_classes(right, own, minority, {**style, "linestyle": "", "alpha": 0.8})
    styles.clean(left, "Share of the rare classes", "Labelled rows")
    styles.clean(right, "Accuracy of each class", "Labels of the class")
    right.set_xscale("log")
    styles.place_legend(figure, strategies)
    styles.save(figure, run.folder / RARE)
    return True


def _draw_classes(axis: Axes, own: Lanes, minority: Sequence[int], style: dict) -> None:
    """A point for each class at the last cycle, larger if it is not cut."""
    known = own.counted[:, -1] & ~np.isnan(own.recall[:, -1]).all(axis=1)
    if known.any():
        counts, recall = (values[known, -1].mean(axis=0) for values in (own.counts, own.recall))
        cut = np.isin(np.arange(len(counts)), minority)
        axis.plot(counts[cut], recall[cut], **style)
        axis.plot(counts[~cut], recall[~cut], **{**style, "markersize": 9})


def _shares(own: Lanes, minority: Sequence[int]) -> np.ndarray:
    """Share of the labels that are of the classes cut [seeds, C], of the complete seeds."""
    counts = own.counts[own.counted.all(axis=1)]
    return counts[..., list(minority)].sum(axis=-1) / counts.sum(axis=-1)
