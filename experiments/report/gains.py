"""What class balance gains: each balanced strategy against its plain form, and the classes labelled over the cycles."""

import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.published import alfamous
from experiments.report import figures, summary
from experiments.report.markdown import NOTHING, number, plus_minus

NUM_COLUMNS = 6
MOST_LABELLED = 2.0  # times an equal share, where the colours of the history end


def write_sections(records: Sequence[dict], config: dict, workdir: pathlib.Path) -> list:
    """The paragraphs and tables of a report, and `history.png` beside them.

    Args:
      records: of the run.
      config: of the run; tells whether CBAL has published its gains.
      workdir: where the figure goes.

    Returns:
      paragraphs and (header, rows); none where the run has no balanced strategy beside its plain form.
    """
    pairs = balanced_pairs(summary.strategies(records))
    if not pairs:
        return []
    header, rows = gain_table(records, config, pairs)
    sections = [
        "## Gains of class balance\n\nAccuracy of the balanced form minus its plain form, in points, at single cycles "
        "(the layout of CBAL, Tables 1 to 3); the last column is the difference of their L1 scores over all cycles, "
        "negative if the balanced form is the better balanced.",
        (header, rows),
    ]
    if draw_history(records, workdir / "history.png"):
        sections += [
            "![Shares of the classes over the cycles](history.png)",
            "*Labels of each class over the labels an equal share would give, mean over the seeds; in each seed the "
            "classes stand in the order of their frequency under the first strategy.*",
        ]
    return sections


def balanced_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """(balanced, plain) for every strategy ending in -cb whose plain form was run."""
    return [(name, name.removesuffix("-cb")) for name in names if name.endswith("-cb") and name[:-3] in names]


def gain_table(records: Sequence[dict], config: dict, pairs: Sequence[tuple[str, str]]) -> tuple[list, list]:
    """Header and rows of the gains, each with the published ones under it where there are any.

    Args:
      records: of the run.
      config: of the run.
      pairs: of `balanced_pairs`.

    Returns:
      header, rows of text.
    """
    last = summary.last_cycle(records)
    cycles = sorted({int(c) for c in np.linspace(1, last, NUM_COLUMNS).round()} | set(range(1, min(last, 4) + 1)))
    published, rows = alfamous.load_gains(config), []
    for balanced, plain in pairs:
        cells = []
        for cycle in cycles:
            mean, se = _difference(records, balanced, plain, cycle)
            cells.append(plus_minus(100 * mean, 100 * se, 2, "+"))
        mean, se, num, *_ = summary.compare(records, balanced, plain, "l1_score")
        rows.append([f"{balanced} vs {plain}", str(num), *cells, plus_minus(mean, se, 3, "+")])
        if plain in published:
            gains = dict(enumerate(published[plain], start=1))
            rows.append(["CBAL", NOTHING, *(number(gains.get(c, np.nan), 2, "+") for c in cycles), NOTHING])
    return ["comparison", "seeds", *(f"cycle {cycle}" for cycle in cycles), "L1 score"], rows


def draw_history(records: Sequence[dict], path: pathlib.Path) -> bool:
    """Classes against cycles, one panel a strategy, the colour how often a class was labelled (CBAL Fig. 2 and 3).

    Args:
      records: of the run.
      path: the PNG to write, replaced at once.

    Returns:
      whether there were counts to draw.
    """
    shares = {name: _shares(records, name) for name in summary.strategies(records)}
    shares = {name: share for name, share in shares.items() if share is not None}
    if not shares:
        return False
    ncols = min(6, len(shares))
    nrows = -(-len(shares) // ncols)
    figure = Figure(figsize=(1.2 + 1.9 * ncols, 0.8 + 2.0 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (name, share) in zip(axes, shares.items(), strict=False):
        image = axis.imshow(share.T, aspect="auto", cmap="RdBu_r", vmin=0, vmax=MOST_LABELLED, interpolation="nearest")
        figures.clean(axis, name)
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axis in axes[len(shares) :]:
        axis.set_axis_off()
    figure.colorbar(image, ax=axes, label="labels over an equal share", shrink=0.8, extend="max")
    figure.supxlabel("Cycle", fontsize=9)
    figure.supylabel("Class, most frequent first", fontsize=9)
    figures.save(figure, path)
    return True


def _difference(records, first, second, cycle):
    values = []
    for name in (first, second):
        seeds, curves = summary.complete_curves(records, name, "accuracy")
        values.append(dict(zip(seeds, curves[:, cycle], strict=True)))
    common = values[0].keys() & values[1].keys()
    mean, se, _ = summary.estimate(values[0][seed] - values[1][seed] for seed in sorted(common))
    return mean, se


def _shares(records, name):
    """Mean over seeds of the counts over an equal share [cycles, K], classes in the order of `_reference`."""
    by_seed: dict[int, dict[int, np.ndarray]] = {}
    for record in records:
        if record["strategy"] == name and record.get("counts"):
            by_seed.setdefault(record["seed"], {})[record["cycle"]] = np.array(record["counts"], float)
    whole = [seed for seed, counts in by_seed.items() if len(counts) == summary.last_cycle(records) + 1]
    shares = []
    for seed in whole:
        counts = np.array([by_seed[seed][cycle] for cycle in sorted(by_seed[seed])])
        reference = _reference(records, seed)
        shares.append(
            (counts * counts.shape[1] / counts.sum(1, keepdims=True))[:, np.argsort(-reference, kind="stable")]
        )
    return np.mean(shares, axis=0) if shares else None


def _reference(records, seed):
    """The last counts of the first strategy that a seed has: random, if it was run."""
    own = [record for record in records if record["seed"] == seed and record.get("counts")]
    first = next((n for n in summary.strategies(records) if any(record["strategy"] == n for record in own)), None)
    last = max((record for record in own if record["strategy"] == first), key=lambda record: record["cycle"])
    return np.array(last["counts"], float)
