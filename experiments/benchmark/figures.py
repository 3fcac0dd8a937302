"""The two pictures of the benchmark: curves of every pool, and mean ranks with what the pools cannot tell apart."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.benchmark.ranking import critical_distance
from experiments.plan.strategies import parse
from experiments.report.runs import Run
from experiments.report.styles import BLACK, GREY, band, clean, place_legend, place_style, save
from experiments.report.summary import mean_curve


def curves(
    runs: Mapping[str, Run], full: Mapping[str, Mapping[str, Any]], names: Sequence[str], path: pathlib.Path
) -> None:
    """Macro F1 over the labels, a panel a pool; the dashed line is the score of all labels."""
    ncols = min(3, len(runs))
    nrows = -(-len(runs) // ncols)
    figure = Figure(figsize=(max(0.6 + 3.6 * ncols, 8.0), 0.9 + 2.8 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, squeeze=False).ravel()
    strategies = [parse(name) for name in names]
    for axis, (pool, run) in zip(axes, runs.items(), strict=False):
        for strategy in strategies:
            if (own := run.lanes.get(str(strategy))) is not None:
                labels = mean_curve(own.metrics["num_labelled"])
                style = {**place_style(strategy, strategies), "markersize": 3.5, "linewidth": 1.2}
                band(axis, labels, own.metrics["macro_f1"], style)
        if full.get(pool):
            axis.axhline(full[pool]["macro_f1"], color=GREY, linestyle="--", linewidth=1)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        clean(axis, pool, "Labelled rows")
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    figure.supylabel("Macro F1", fontsize=9)
    place_legend(figure, strategies)
    save(figure, path)


def rank_diagram(mean_ranks: np.ndarray, names: Sequence[str], num_pools: int, path: pathlib.Path) -> None:
    """Mean ranks on a line; a bar joins strategies that lie within the critical distance (Demsar, 2006, Fig. 1)."""
    distance, order = critical_distance(len(names), num_pools), np.argsort(mean_ranks)
    groups = joined(mean_ranks[order], distance)
    half = -(-len(names) // 2)
    figure = Figure(figsize=(7.5, 1.3 + 0.24 * half + 0.13 * len(groups)), layout="constrained")
    axis = figure.subplots()
    low, high = 1.0, float(len(names))
    start = 0.5 + 0.45 * len(groups)
    for place, index in enumerate(order):
        rank, left = mean_ranks[index], place < half
        depth = start + 0.75 * (place if left else len(names) - 1 - place)
        edge = low - 0.2 if left else high + 0.2
        axis.plot([rank, rank, edge], [0, depth, depth], color=BLACK, linewidth=0.8)
        text = f"{names[index]}  {rank:.1f}" if left else f"{rank:.1f}  {names[index]}"
        axis.text(edge, depth, f" {text} ", ha="right" if left else "left", va="center", fontsize=9)
    for number, (first, final) in enumerate(groups):
        height = 0.45 * (number + 1)
        span = mean_ranks[order[first]] - 0.06, mean_ranks[order[final]] + 0.06
        axis.plot(span, (height, height), color=BLACK, linewidth=3, solid_capstyle="round")
    axis.plot([low, low + distance], [-1.6, -1.6], color=GREY, linewidth=1.5)
    axis.text(low + distance / 2, -1.75, f"critical distance {distance:.2f}", ha="center", va="bottom", fontsize=8)
    axis.plot([low, high], [0, 0], color=BLACK, linewidth=1)
    for rank in range(1, len(names) + 1):
        axis.plot([rank, rank], [0, -0.2], color=BLACK, linewidth=1)
        axis.text(rank, -0.3, str(rank), ha="center", va="bottom", fontsize=8)
    axis.set_xlim(low - 3.2, high + 3.2)
    axis.set_ylim(start + 0.75 * half, -2.6)
    axis.set_axis_off()
    save(figure, path)


def joined(sorted_ranks: np.ndarray, distance: float) -> list[tuple[int, int]]:
    """First and last place of each largest group whose ranks differ by less than the critical distance."""
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(sorted_ranks):
        final = int(np.flatnonzero(sorted_ranks - rank < distance)[-1])
        if final > first and (not groups or final > groups[-1][1]):
            groups.append((first, final))
    return groups
