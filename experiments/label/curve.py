"""A learning curve as points of a drawing: macro F1, its interval and accuracy over labels."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from experiments.label.scores import Point

LEFT, RIGHT, TOP, BOTTOM = 34, 292, 8, 116  # of the axes, in a box of 300 x 140
STEPS = (1, 2, 5)  # between ticks, times a power of ten


class Curve(NamedTuple):
    """Ready to be drawn; texts of points x,y."""

    macro_f1: str
    accuracy: str
    band: str  # round the interval of macro F1, "" where it has none
    dots: tuple[tuple[float, float], ...]  # of macro F1
    x_ticks: tuple[tuple[float, int], ...]  # place and number
    y_ticks: tuple[tuple[float, str], ...]
    said: str  # the last point in words


def draw(points: Sequence[Point]) -> Curve | None:
    """The curve through some points in their order; None where there is none yet."""
    if not points:
        return None
    most, last = points[-1].num_labels, points[-1]

    def place(num: float, share: float) -> tuple[float, float]:
        return round(LEFT + (RIGHT - LEFT) * num / most, 1), round(BOTTOM - (BOTTOM - TOP) * share, 1)

    def line(pairs: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in pairs)

    f1 = [place(point.num_labels, point.macro_f1) for point in points]
    known = [point for point in points if not math.isnan(point.low)]
    around = [place(point.num_labels, point.high) for point in known]
    around += [place(point.num_labels, point.low) for point in reversed(known)]
    exponent = math.floor(math.log10(max(most, 1)))
    steps = (step * 10**power for power in (exponent - 1, exponent) for step in STEPS)
    step = max(1, int(next((step for step in steps if step >= 1 and most / step <= 5), most)))
    x_ticks = tuple((place(num, 0)[0], num) for num in range(0, most + 1, step))
    y_ticks = tuple((place(0, share)[1], f"{share:g}") for share in (0, 0.5, 1))
    between = f", between {last.low:.2f} and {last.high:.2f}" if known and known[-1] == last else ""
    said = f"After {most} labels: macro F1 {last.macro_f1:.2f}{between}; accuracy {last.accuracy:.2f}"
    accuracy = [place(point.num_labels, point.accuracy) for point in points]
    return Curve(line(f1), line(accuracy), line(around), tuple(f1), x_ticks, y_ticks, said)
