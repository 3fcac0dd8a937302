"""How strategies and panels look in every figure.

Colour and marker tell the variant of a strategy (plain, cb, fbu, alfamous), line style and filled or open
markers its utility family (us, bald), so that the lines are told apart in grey too. Colours are those of
Okabe and Ito.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plan.strategies import FORMS, Strategy
from experiments.report.runs import family
from experiments.report.summary import estimate
from experiments.store.files import replacing

BLACK, GREY = "#000000", "#777777"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
VARIANT_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (VERMILLION, "D"), (PURPLE, "v"), (SKY, "P"))
FAMILY_LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
LEGEND: dict[str, Any] = {"loc": "outside lower center", "ncols": 4, "fontsize": 9, "frameon": False}


def line_style(strategy: Strategy, among: Sequence[Strategy]) -> dict[str, Any]:
    """How a strategy is drawn among others: colour and marker of its variant, line of its utility family."""
    if is_random(strategy):
        return {"color": BLACK, "linestyle": (0, (1, 1.2)), "linewidth": 1.5}
    families, variants = families_and_variants(among)
    own, variant = family(strategy)
    slots = [*FORMS, *(v for v in variants if v not in FORMS)]
    color, marker = VARIANT_STYLES[slots.index(variant) % len(VARIANT_STYLES)]
    index = families.index(own)
    line: dict[str, Any] = {"color": color, "linestyle": FAMILY_LINES[index % len(FAMILY_LINES)], "linewidth": 1.4}
    return {**line, "marker": marker, "markersize": 4.2, "mfc": "white" if index % 2 else color}


def place_style(strategy: Strategy, among: Sequence[Strategy]) -> dict[str, Any]:
    """How a strategy is drawn by its place alone: six colours and markers, then other lines; random black or grey."""
    if strategy.base == "random":
        color, marker = (GREY, "+") if strategy.form else (BLACK, "x")
        dark: dict[str, Any] = {"color": color, "linestyle": _line(strategy, among, 2), "linewidth": 1.5}
        return {**dark, "marker": marker, "markersize": 5}
    plain = [*dict.fromkeys(other._replace(scheme="") for other in among if other.base != "random")]
    again, place = divmod(plain.index(strategy._replace(scheme="")), len(VARIANT_STYLES))
    color, marker = VARIANT_STYLES[place]
    line: dict[str, Any] = {"color": color, "linestyle": _line(strategy, among, again), "linewidth": 1.4}
    return {**line, "marker": marker, "markersize": 4.5, "mfc": "white" if again % 2 else color}


def place_legend(figure: Figure, strategies: Sequence[Strategy]) -> None:
    """A legend of `place_style` under the panels."""
    handles = [Line2D([], [], **place_style(one, strategies), label=str(one)) for one in strategies]
    figure.legend(handles=handles, **LEGEND, handlelength=3.6)


def strategy_legend(figure: Figure, strategies: Sequence[Strategy]) -> None:
    """A legend of `line_style` under the panels, one column per variant."""
    columns = [[one] for one in strategies if is_random(one)]
    others = [one for one in strategies if not is_random(one)]
    columns += [[one for one in others if family(one)[1] == v] for v in families_and_variants(strategies)[1]]
    height = max(len(column) for column in columns)
    handles = []
    for column in columns:
        handles += [Line2D([], [], **line_style(one, strategies), label=str(one)) for one in column]
        handles += [Line2D([], [], linestyle="", label=" ")] * (height - len(column))
    figure.legend(handles=handles, **(LEGEND | {"ncols": len(columns)}), handlelength=3.6)


def families_and_variants(strategies: Sequence[Strategy]) -> tuple[list[str], list[str]]:
    """The families, as they come, and the variants, those of the paper first; random sampling is of none."""
    parts = [family(one) for one in strategies if not is_random(one)]
    present = [variant for _, variant in parts]
    variants = dict.fromkeys([*(v for v in FORMS if v in present), *present])
    return list(dict.fromkeys(first for first, _ in parts)), list(variants)


def is_random(strategy: Strategy) -> bool:
    """Whether it is random sampling under the scheme of the config."""
    return strategy == Strategy("random")


def band(axis: Axes, x: Sequence[float] | np.ndarray, values: np.ndarray, style: dict[str, Any]) -> None:
    """A line for the mean of `values` [seeds, points], NaN left out, in a band of one standard error."""
    points = [estimate(column) for column in values.T]
    mean, se = np.array([p.mean for p in points]), np.nan_to_num([p.se for p in points])
    axis.fill_between(x, mean - se, mean + se, color=style["color"], alpha=0.16, linewidth=0)
    axis.plot(x, mean, **style)


def clean(axis: Axes, title: str, xlabel: str | None = None) -> None:
    """The look that all panels share; those with a label below have grid lines."""
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, length=3)
    if xlabel is not None:
        axis.set_xlabel(xlabel, fontsize=9)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a PNG, replaced at once."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=160)


def _line(strategy: Strategy, among: Sequence[Strategy], index: int) -> Any:
    """A line for each scheme of training, if strategies are run under several; else the one at `index`."""
    schemes = [*dict.fromkeys(other.scheme for other in among)]
    index = schemes.index(strategy.scheme) if len(schemes) > 1 else index
    return FAMILY_LINES[index % len(FAMILY_LINES)]
