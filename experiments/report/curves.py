"""Learning curves of a run: accuracy, macro F1 and class balance index over the labels known."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.plan.strategies import Strategy
from experiments.report import CURVES
from experiments.report.runs import Run, family
from experiments.report.styles import (
    FAMILY_LINES,
    band,
    clean,
    families_and_variants,
    is_random,
    line_style,
    save,
    strategy_legend,
)
from experiments.report.summary import mean_curve

PANELS = (("accuracy", "Accuracy"), ("macro_f1", "Macro F1"), ("cbi", "Class balance index (min-max)"))


def learning_curves(run: Run) -> None:
    """Draws `CURVES`: mean over seeds, band of one standard error; at each cycle every seed counts that has a value.

    More families of strategies than line styles get a panel each, of macro F1 alone.
    """
    if len(families_and_variants(run.strategies)[0]) > len(FAMILY_LINES):
        _family_curves(run)
        return
    figure = Figure(figsize=(11, 4.3), layout="constrained")
    for axis, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        learning_curve(axis, run, run.strategies, metric)
        clean(axis, title, "Labelled rows")
    strategy_legend(figure, run.strategies)
    save(figure, run.folder / CURVES)


def learning_curve(
    axis: Axes, run: Run, drawn: Sequence[Strategy], metric: str, among: Sequence[Strategy] | None = None
) -> None:
    """A metric over the labels known, with `band`; `among` are the strategies that share the styles, or those drawn."""
    for index, strategy in enumerate(drawn):
        metrics = run.lanes[str(strategy)].metrics
        labels = mean_curve(metrics["num_labelled"])
        step = max(1, len(labels) // 5)
        style = {**line_style(strategy, among or drawn), "markevery": (index % step, step)}
        band(axis, labels, metrics[metric], style)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.margins(x=0.02)


def _family_curves(run: Run) -> None:
    """Macro F1, a panel for each family; random sampling in all of them, the other strategies in pale grey."""
    families = families_and_variants(run.strategies)[0]
    ncols = min(4, len(families))
    nrows = -(-len(families) // ncols)
    figure = Figure(figsize=(2.9 * ncols, 0.8 + 2.1 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, sharex=True, sharey=True, squeeze=False).ravel()
    everything = [[mean_curve(own.metrics[m]) for m in ("num_labelled", "macro_f1")] for own in run.lanes.values()]
    for axis, name in zip(axes, families, strict=False):
        drawn = [one for one in run.strategies if is_random(one)]
        drawn += [one for one in run.strategies if family(one)[0] == name]
        for labels, means in everything:
            axis.plot(labels, means, color="#dddddd", linewidth=0.8)
        learning_curve(axis, run, drawn, "macro_f1")
        handles = [Line2D([], [], **line_style(one, drawn), label=str(one)) for one in drawn]
        axis.legend(handles=handles, fontsize=7, frameon=False)
        clean(axis, name, "Labelled rows")
    for axis in axes[len(families) :]:
        axis.set_axis_off()
    figure.supylabel("Macro F1", fontsize=9)
    save(figure, run.folder / CURVES)
