"""The page of a sweep: strategies over the values of one field, and against random sampling at each of them."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.benchmark import PAGE
from experiments.benchmark.ranking import holm
from experiments.plan.strategies import parse
from experiments.report import REPORT, styles, summary
from experiments.report.markdown import NOTHING, Part, document, machine, number, p_value, plus_minus
from experiments.report.runs import Run
from experiments.report.summary import Estimate
from experiments.store import files

PICTURE = "sweep.png"
Value = float | str
AXES = {
    "label_noise": "Share of wrong answers",
    "minority_ratio": "Share of their rows that half of the classes keep",
    "budget": "Rows asked for at a time",
    "initial": "Labels before the first query",
    "start": "How the first rows are found",
    "unseen": "Rarest classes without a label at first",
    "copies": "Times that each row is in the pool",
}


def shown(value: Value) -> str:
    """A value of the field as headings and folders have it."""
    return value if isinstance(value, str) else f"{value:g}"


def area(run: Run, name: str) -> dict[int, float]:
    """Macro F1 on average over the labels, from the first to the last, of each complete seed of a strategy.

    The area under the curve by trapezia over its width, so that runs that ask for other numbers at a time compare.
    """
    seeds, scores = summary.complete_curves(run, name, "macro_f1")
    _, labels = summary.complete_curves(run, name, "num_labelled")
    spans = labels[:, -1] - labels[:, 0]
    means = np.trapezoid(scores, labels, axis=1) / np.where(spans > 0, spans, 1.0)
    return {seed: float(mean) for seed, mean in zip(seeds, means, strict=True)}


def write(found: Mapping[str, tuple[Value, Run]], pool: str, field: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes the page and its picture.

    Args:
      found: the value of the field and the run of each folder.
      pool: its name.
      field: what is swept.
      folder: that the runs lie in.

    Returns:
      path of the page.
    """
    names = list(dict.fromkeys(name for _, run in found.values() for name in run.lanes))
    areas = {name: [area(run, name) for _, run in found.values()] for name in names}
    estimates = {name: [summary.estimate(values.values()) for values in areas[name]] for name in names}
    values = [shown(value) for value, _ in found.values()]
    joined = not any(isinstance(value, str) for value, _ in found.values())
    _draw(estimates, values, AXES[field], joined, folder / PICTURE)
    header = ["strategy", *(f"[{value}]({name}/{REPORT})" for name, value in zip(found, values, strict=True))]
    parts: list[Part] = [
        f"# {AXES[field]}: {pool}",
        f"`config.{field}` from column to column, all else as `configs/own.py` has it for this pool. Macro F1 on the "
        "test rows on average over the labels from the first to the last; means over the seeds, ± one standard error.",
        (header, [[name, *map(_shown, estimates[name])] for name in names]),
    ]
    if "random" in names and len(names) > 1:
        parts += [
            "## Against random sampling",
            "The difference seed by seed, and the p of a paired t-test, corrected for all of the table by Holm.",
            (["strategy", *values], _against(areas, areas["random"])),
        ]
    parts += [
        f"![Macro F1 over the values]({PICTURE})",
        "*Bars: one standard error.*",
        machine(next(iter(found.values()))[1].environment),
    ]
    files.write_text(folder / PAGE, document(parts))
    return folder / PAGE


def _shown(mean: Estimate) -> str:
    return plus_minus(mean.mean, mean.se, 3) if mean.num else NOTHING


def _against(
    areas: Mapping[str, Sequence[Mapping[int, float]]], base: Sequence[Mapping[int, float]]
) -> list[list[str]]:
    pairs = {
        name: [
            summary.paired(np.array([own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())]))
            for own, other in zip(values, base, strict=True)
        ]
        for name, values in areas.items()
        if name != "random"
    }
    corrected = iter(holm([pair.t_p for row in pairs.values() for pair in row]))
    return [
        [name, *(f"{number(pair.mean, 3, '+')} (p {p_value(next(corrected))})" for pair in row)]
        for name, row in pairs.items()
    ]


def _draw(
    estimates: Mapping[str, Sequence[Estimate]], values: Sequence[str], label: str, joined: bool, path: pathlib.Path
) -> None:
    """A line for each strategy, the values at equal distances; points alone where the values have no order."""
    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    axis, places = figure.subplots(), np.arange(len(values))
    strategies = [parse(name) for name in estimates]
    for strategy in strategies:
        own = estimates[str(strategy)]
        style = {**styles.place_style(strategy, strategies), "markersize": 4, "linewidth": 1.3}
        style |= {} if joined else {"linestyle": "none"}
        axis.errorbar(places, [e.mean for e in own], [np.nan_to_num(e.se) for e in own], capsize=2, **style)
    axis.set_xticks(places, values)
    styles.clean(axis, "", label)
    axis.set_ylabel("Macro F1", fontsize=9)
    styles.place_legend(figure, strategies)
    styles.save(figure, path)
