"""Learning curves over all data sets: for each metric one figure, two panels per data set."""

import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments.paper.runs import title_of
from experiments.plan.strategies import parse
from experiments.published import alfamous
from experiments.report import styles
from experiments.report.curves import PANELS, learning_curve
from experiments.report.runs import Run, family

FILES = (("macro_f1", "f1.png"), ("accuracy", "accuracy.png"), ("cbi", "cbi.png"))
WIDTH, HEIGHT = 2.75, 2.15  # inches of a panel


def metric_curves(runs: Sequence[Run], metric: str, path: pathlib.Path) -> None:
    """A metric over the labels known: least confidence on the left of every pair of panels, BALD on the right.

    Args:
      runs: one per data set, two to a row; means over the seeds, bands of one standard error.
      metric: of the lanes.
      path: the PNG to write, replaced at once.
    """
    strategies = [parse(name) for name in alfamous.load_results("letter")]
    columns = 2 * min(2, len(runs))
    nrows = -(-2 * len(runs) // columns)
    figure = Figure(figsize=(max(WIDTH * columns, 7.5), 0.8 + HEIGHT * nrows), layout="constrained")
    axes = figure.subplots(nrows, columns, squeeze=False).ravel()
    for i, run in enumerate(runs):
        for axis, base in zip(axes[2 * i : 2 * i + 2], ("us", "bald"), strict=True):
            drawn = [one for one in run.strategies if family(one)[0] in (base, "random")]
            learning_curve(axis, run, drawn, metric, strategies)
            styles.clean(axis, f"{title_of(run)}, {base}", "Labelled rows" if 2 * i + columns >= 2 * len(runs) else "")
        axes[2 * i + 1].sharey(axes[2 * i])
        axes[2 * i + 1].tick_params(labelleft=False)
    for axis in axes[2 * len(runs) :]:
        axis.set_axis_off()
    figure.supylabel(dict(PANELS)[metric], fontsize=9)
    styles.strategy_legend(figure, strategies)
    styles.save(figure, path)
