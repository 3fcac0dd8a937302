"""Classes that a config makes rare: accuracies as VaB-AL tabulates them, and who labels the rare ones."""

import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.published import alfamous
from experiments.report import figures, summary
from experiments.report.markdown import NOTHING, number, p_value, plus_minus


def write_sections(records: Sequence[dict], config: dict, workdir: pathlib.Path) -> list:
    """The paragraphs and the table of a report, and `rare.png` beside them.

    Args:
      records: of the run.
      config: of the run.
      workdir: where the figure goes.

    Returns:
      paragraphs and (header, rows); none where the config names no classes to cut.
    """
    minority = config.get("minority")
    if not isinstance(minority, (list, tuple)):
        return []
    cut = f"Classes {summary.ranges(minority)} keep {config.get('minority_ratio')} of their rows" if minority else ""
    sections = [
        "## Rare classes\n\n" + f"{cut or 'No class is cut'}. Accuracy in % on the test set, mean over all rounds, the "
        "first included, and in the last; share of the labels that are of a class that is cut (VaB-AL, Tables 1 and 2, "
        "Fig. 9).",
        rare_table(records, config, minority),
    ]
    if pairs := vabal_pairs(records):
        sections += [
            "VaB-AL minus each other strategy, accuracy in points over the rounds after the first, seed by seed; "
            "two-sided p, not corrected for their number.",
            (["vabal minus", "seeds", "points", "ahead", "p (t-test)"], pairs),
        ]
    if draw_rare(records, minority, workdir / "rare.png"):
        sections += [
            "![Rare classes](rare.png)",
            "*Left: share of the labels that are of a class that is cut. Right: accuracy of each class over its "
            "labels in the last round, mean over the seeds; large if the class is not cut (VaB-AL, Fig. 6).*",
        ]
    return sections


def rare_table(records: Sequence[dict], config: dict, minority: Sequence[int]) -> tuple[list, list]:
    """Header and rows: accuracies and the share of rare classes, the published numbers in columns of their own.

    Args:
      records: of the run.
      config: of the run; tells whether VaB-AL has published its accuracies.
      minority: the classes cut.

    Returns:
      header, rows of text.
    """
    published, rows = alfamous.load_vabal(config), []
    header = ["strategy", "seeds", "mean", "paper", "last", "paper", "rare, first", "rare, mean", "rare, last"]
    for name in summary.strategies(records):
        _, curves = summary.complete_curves(records, name, "accuracy")
        shares = np.array(list(_shares(records, name, minority).values()))
        estimates = [summary.estimate(100 * x) for x in (curves.mean(axis=1), curves[:, -1])] if len(curves) else []
        cells = [plus_minus(e.mean, e.se, 2) for e in estimates] or [NOTHING] * 2
        paper = [number(x, 2) for x in published.get(name, (np.nan, np.nan))]
        ends = (shares[:, 0], shares.mean(axis=1), shares[:, -1]) if len(shares) and len(minority) else ()
        rare = [number(float(x.mean()), 3) for x in ends] or [NOTHING] * 3
        rows.append([name, str(len(curves)), cells[0], paper[0], cells[1], paper[1], *rare])
    return header, rows


def vabal_pairs(records: Sequence[dict]) -> list[list[str]]:
    """Rows of text: `vabal` against every other strategy; none without it."""
    names, rows = summary.strategies(records), []
    for name in names if "vabal" in names else ():
        if name != "vabal":
            mean, se, num, wins, p, _ = summary.compare(records, "vabal", name, "accuracy")
            rows.append([name, str(num), plus_minus(100 * mean, 100 * se, 2, "+"), f"{wins} of {num}", p_value(p)])
    return rows


def draw_rare(records: Sequence[dict], minority: Sequence[int], path: pathlib.Path) -> bool:
    """Share of the rare classes over the labels known, and accuracy of each class over its labels.

    Args:
      records: of the run; without recalls the second panel stays empty.
      minority: the classes cut.
      path: the PNG to write, replaced at once.

    Returns:
      whether there was something to draw; if not, nothing is written.
    """
    names = [name for name in summary.strategies(records) if _shares(records, name, minority)]
    if not names or not len(minority):
        return False
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    last = summary.last_cycle(records)
    for name in names:
        style = figures.place_style(name, names)
        shares = np.array(list(_shares(records, name, minority).values()))
        labels = summary.complete_curves(records, name, "num_labelled")[1].mean(axis=0)
        figures.band(left, labels, shares, style)
        final = [r for r in records if r["strategy"] == name and r["cycle"] == last and r.get("recall")]
        if final:
            counts = np.mean([r["counts"] for r in final], axis=0)
            recall = np.array([[np.nan if x is None else x for x in r["recall"]] for r in final]).mean(axis=0)
            cut = np.isin(np.arange(len(counts)), minority)
            point = {**style, "linestyle": "", "alpha": 0.8}
            right.plot(counts[cut], recall[cut], **point)
            right.plot(counts[~cut], recall[~cut], **{**point, "markersize": 9})
    figures.clean(left, "Share of the rare classes", "Labelled rows")
    figures.clean(right, "Accuracy of each class", "Labels of the class")
    right.set_xscale("log")
    handles = [Line2D([], [], **figures.place_style(name, names), label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9, frameon=False, handlelength=3.6)
    figures.save(figure, path)
    return True


def _shares(records, name, minority):
    """seed -> share of the labels [cycles] that are of the classes cut, of the complete seeds."""
    seeds = summary.complete_curves(records, name, "num_labelled")[0]
    shares = {}
    for seed in seeds:
        own = [r for r in records if (r["strategy"], r["seed"]) == (name, seed)]
        counts = [np.array(r["counts"], float) for r in sorted(own, key=lambda r: r["cycle"]) if r.get("counts")]
        if len(counts) == len(own):
            shares[seed] = np.array([c[list(minority)].sum() / c.sum() for c in counts])
    return shares
