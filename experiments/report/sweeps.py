"""What a run says about one setting: the balance weight that "auto" chose, the size of the minibatches.

Both read the records of a run; the times of the second come from `timings.jsonl`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.plan.strategies import Strategy
from experiments.report import LAMBDA, MINIBATCHES, styles, summary
from experiments.report.markdown import NOTHING, Part, number, plus_minus
from experiments.report.runs import Run

PSEUDO = "entropy-pseudo"  # whose batch at its own lam stands in CBAL Fig. 4 as a line
SIZES = (("macro_f1", "Macro F1", 3), ("cbi", "Class balance index (min-max)", 2), ("l1_score", "L1 score", 3))


class LambdaCurve(NamedTuple):
    """The batch of the first cycle at each weight of the balance, seeds of a strategy in rows."""

    lam: np.ndarray  # [G]
    l1: np.ndarray  # [S, G], ||demand - P'z||_1
    utility: np.ndarray  # [S, G], u'z
    chosen: np.ndarray  # [S]


class Minibatch(NamedTuple):
    """A strategy at one size of its minibatches."""

    size: int
    strategy: Strategy
    query_s: float  # median over cycles and seeds, without the cycle that compiles; NaN if not timed

    @property
    def base(self) -> Strategy:
        """The strategy without the size."""
        return self.strategy._replace(option="")


def write_sections(run: Run) -> list[Part]:
    """The report's sections on what the run swept, and their figures `LAMBDA` and `MINIBATCHES`.

    Returns:
      paragraphs, and tables as (header, rows); empty if the run swept nothing.
    """
    parts: list[Part] = []
    curves, sizes = lambda_curves(run), minibatches(run)
    if curves:
        draw_lambda(run, curves)
        parts += [
            "## Balance weight",
            "The smallest λ whose L1 term has come down by 95 % of what any λ brings, on the model of cycle 0. Each "
            "strategy solves its own batches; the utility of `kcenter-cb` is minus its covering radius, the L1 term of "
            "`entropy-pseudo` that of predicted classes.",
            (["strategy", "λ", "L1 term", "utility", "seeds that chose it"], lambda_rows(curves)),
            f"![L1 term and utility of the batch over λ]({LAMBDA})",
        ]
    if sizes:
        draw_minibatches(run, sizes)
        header = ["strategy", "rows", *(label for _, label, _ in SIZES), "F1 to the smallest", "query, s"]
        parts += [
            "## Minibatches",
            "Rows asked for between two updates of the posterior; a query is the whole budget of a cycle.",
            (header, minibatch_rows(run, sizes)),
            f"![Macro F1, CBI and time over the rows asked for]({MINIBATCHES})",
        ]
    return parts


def lambda_curves(run: Run) -> dict[str, LambdaCurve]:
    """The curves that config.lam = "auto" left in the records of cycle 0, by strategy; empty without it."""
    found = {}
    for name, own in run.lanes.items():
        if own.lam_curves:
            curves = list(own.lam_curves.values())
            l1, utility = (np.array([curve[field] for curve in curves], float) for field in ("l1", "utility"))
            chosen = own.metrics["lam"][[own.seeds.index(seed) for seed in own.lam_curves], 0]
            found[name] = LambdaCurve(np.array(curves[0]["lam"]), l1, utility, chosen)
    return found


def lambda_rows(curves: dict[str, LambdaCurve]) -> list[list[str]]:
    """One row per strategy and weight: the L1 term, the utility, and how many seeds chose that weight."""
    rows = []
    for name, curve in curves.items():
        for i, lam in enumerate(curve.lam):
            votes = np.isclose(lam, curve.chosen).sum()
            l1, utility = summary.estimate(curve.l1[:, i]), summary.estimate(curve.utility[:, i])
            picked = f"{votes} of {len(curve.chosen)}" if lam > 0 else NOTHING
            rows.append([name, f"{lam:g}", f"{l1.mean:.3f}", f"{utility.mean:.3f}", picked])
    return rows


def draw_lambda(run: Run, curves: dict[str, LambdaCurve]) -> None:
    """L1 term and utility of the batch over lam, relative to lam = 0 (AL-FaMoUS Fig. 4, CBAL Fig. 4).

    Lines are means over the seeds, bands one standard error, broken lines the median choice. Horizontal lines are those
    of CBAL's figure: the batch without balance and, where it was run, that of pseudo-labels at its own lam.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    smallest = min(curve.lam[curve.lam > 0].min() for curve in curves.values())
    titles = ("L1 term, relative to λ = 0", "Utility of the batch, relative to λ = 0")
    strategies = [run.lanes[name].strategy for name in curves]
    for axis, field, title in zip(axes, ("l1", "utility"), titles, strict=True):
        for strategy, curve in zip(strategies, curves.values(), strict=True):
            values = getattr(curve, field)
            style = styles.line_style(strategy, strategies)
            styles.band(axis, curve.lam, values / values[:, :1], {**style, "label": str(strategy)})
            axis.axvline(np.median(curve.chosen), color=style["color"], linewidth=0.8, linestyle=(0, (2, 2)))
            if strategy.base == PSEUDO:
                own = [row[np.argmin(np.abs(curve.lam - lam))] for row, lam in zip(values, curve.chosen, strict=True)]
                axis.axhline(np.mean(own / values[:, 0]), color=style["color"], linewidth=0.8)
        axis.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
        axis.set_xscale("symlog", linthresh=smallest)
        axis.set_xlim(left=0)
        styles.clean(axis, title, "λ")
    figure.legend(*axes[0].get_legend_handles_labels(), **styles.LEGEND)
    styles.save(figure, run.folder / LAMBDA)


def minibatches(run: Run) -> list[Minibatch]:
    """The strategies with a minibatch in their name, such as us-alfamous@8, by name and size; empty without any."""
    found = []
    for name, own in run.lanes.items():
        if own.strategy.option.isdecimal() and not own.strategy.scheme:
            times = [row["query_s"] for row in run.timings if row.get("strategy") == name and "query_s" in row]
            # A process compiles in the first query of a strategy it meets; the median passes over these.
            seconds = float(np.median(times)) if times else np.nan
            found.append(Minibatch(int(own.strategy.option), own.strategy, seconds))
    return sorted(found, key=lambda minibatch: (str(minibatch.base), minibatch.size))


def minibatch_rows(run: Run, found: Sequence[Minibatch]) -> list[list[str]]:
    """One row per size: the scores, F1 against the smallest size seed by seed, the seconds of a query."""
    rows = []
    for minibatch in found:
        smallest = next(m for m in found if m.base == minibatch.base)
        cells = []
        for metric, _, digits in SIZES:
            mean, se, _ = summary.mean_over_seeds(run, str(minibatch.strategy), metric)
            cells.append(plus_minus(mean, se, digits))
        paired = summary.compare(run, str(minibatch.strategy), str(smallest.strategy), "macro_f1")
        against = NOTHING if minibatch is smallest else plus_minus(paired.mean, paired.se, 3, "+")
        rows.append([str(minibatch.base), str(minibatch.size), *cells, against, number(minibatch.query_s, 3)])
    return rows


def draw_minibatches(run: Run, found: Sequence[Minibatch]) -> None:
    """Macro F1, CBI and seconds of a query over the size of the minibatch: mean over seeds, one standard error."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    bases = list(dict.fromkeys(m.base for m in found))
    for base in bases:
        own = [m for m in found if m.base == base]
        sizes, style = [m.size for m in own], styles.line_style(base, bases)
        for axis, (metric, _, _) in zip(axes, SIZES[:2], strict=False):
            points = [summary.mean_over_seeds(run, str(m.strategy), metric) for m in own]
            errors = np.nan_to_num([p.se for p in points])
            axis.errorbar(sizes, [p.mean for p in points], errors, **style, capsize=2, label=str(base))
        axes[2].plot(sizes, [m.query_s for m in own], **style)
    if any(m.query_s > 0 for m in found):
        axes[2].set_yscale("log")
    titles = (*(title for _, title, _ in SIZES[:2]), "Seconds of a query (whole budget)")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted({m.size for m in found}), [str(s) for s in sorted({m.size for m in found})])
        styles.clean(axis, title, "Rows asked for between updates")
    figure.legend(*axes[0].get_legend_handles_labels(), **styles.LEGEND)
    styles.save(figure, run.folder / MINIBATCHES)
