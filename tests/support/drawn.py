"""Figures that were drawn, to be asked what they show; a file alone only tells that something was."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written while a test runs, in their order."""
    figures, savefig = [], Figure.savefig

    def recorded(figure, *args, **named):
        figures.append(figure)
        return savefig(figure, *args, **named)

    monkeypatch.setattr(Figure, "savefig", recorded)
    return figures


def lines(axis):
    """Points of the lines of a panel by their label or, without one, in order."""
    return [(line.get_label(), line.get_xydata().tolist()) for line in axis.lines]


def legend(figure):
    """What the legends of a figure say, those of its panels too."""
    found = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    return [text.get_text() for one in found for text in one.get_texts()]
