"""What class balance gains: each balanced strategy against its plain form, and the classes labelled over the cycles."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.plan.strategies import Strategy
from experiments.published import cbal, images
from experiments.report import HISTORY, styles, summary
from experiments.report.markdown import NOTHING, Part, number, plus_minus
from experiments.report.runs import Lanes, Run

NUM_COLUMNS = 6
MOST_LABELLED = 2.0  # times an equal share, where the colours of the history end


def write_sections(run: Run) -> list[Part]:
    """The paragraphs and tables of a report, and `HISTORY` beside them.

    Args:
      run: it; its config tells whether CBAL has published its gains.

    Returns:
      paragraphs and (header, rows); none where the run has no balanced strategy beside its plain form.
    """
    pairs = balanced_pairs(run.strategies)
    if not pairs:
        return []
    sections: list[Part] = [
        "## Gains of class balance\n\nAccuracy of the balanced form minus its plain form, in points, at single cycles "
        "(the layout of CBAL, Tables 1 to 3); the last column is the difference of their L1 scores over all cycles, "
        "negative if the balanced form is the better balanced.",
        gain_table(run, pairs),
        *images.note(cbal.load_gains, run.config),
    ]
    if draw_history(run):
        sections += [
            f"![Shares of the classes over the cycles]({HISTORY})",
            "*Labels of each class over the labels an equal share would give, mean over the seeds; in each seed the "
            "classes stand in the order of their frequency under the first strategy.*",
        ]
    return sections


def balanced_pairs(strategies: Sequence[Strategy]) -> list[tuple[str, str]]:
    """(balanced, plain) for every strategy ending in -cb whose plain form was run."""
    pairs = [(one, one._replace(form="")) for one in strategies if one == Strategy(one.base, "cb")]
    return [(str(balanced), str(plain)) for balanced, plain in pairs if plain in strategies]


def gain_table(run: Run, pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the gains of `balanced_pairs`, each with the published ones under it where there are any."""
    last = run.last_cycle
    cycles = sorted({int(c) for c in np.linspace(1, last, NUM_COLUMNS).round()} | set(range(1, min(last, 4) + 1)))
    (published, mark), rows = images.load(cbal.load_gains, run.config), []
    for balanced, plain in pairs:
        cells = []
        for cycle in cycles:
            mean, se, _ = _difference(run, balanced, plain, cycle)
            cells.append(plus_minus(100 * mean, 100 * se, 2, "+"))
        mean, se, num, *_ = summary.compare(run, balanced, plain, "l1_score")
        rows.append([f"{balanced} vs {plain}", str(num), *cells, plus_minus(mean, se, 3, "+")])
        if plain in published:
            gains = dict(enumerate(published[plain], start=1))
            rows.append([f"CBAL{mark}", NOTHING, *(number(gains.get(c, np.nan), 2, "+") for c in cycles), NOTHING])
    return ["comparison", "seeds", *(f"cycle {cycle}" for cycle in cycles), "L1 score"], rows


def draw_history(run: Run) -> bool:
    """Classes against cycles, one panel a strategy, the colour how often a class was labelled (CBAL Fig. 2 and 3).

    Returns:
      whether there were counts to draw; if not, nothing is written.
    """
    known = {name: _shares(run, own) for name, own in run.lanes.items()}
    shares = {name: share for name, share in known.items() if share is not None}
    if not shares:
        return False
    ncols = min(6, len(shares))
    nrows = -(-len(shares) // ncols)
    figure = Figure(figsize=(1.2 + 1.9 * ncols, 0.8 + 2.0 * nrows), layout="constrained")
    axes = figure.subplots(nrows, ncols, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (name, share) in zip(axes, shares.items(), strict=False):
        image = axis.imshow(share.T, aspect="auto", cmap="RdBu_r", vmin=0, vmax=MOST_LABELLED, interpolation="nearest")
        styles.clean(axis, name)
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axis in axes[len(shares) :]:
        axis.set_axis_off()
    figure.colorbar(image, ax=axes, label="labels over an equal share", shrink=0.8, extend="max")
    figure.supxlabel("Cycle", fontsize=9)
    figure.supylabel("Class, most frequent first", fontsize=9)
    styles.save(figure, run.folder / HISTORY)
    return True


def _difference(run: Run, first: str, second: str, cycle: int) -> summary.Estimate:
    a, b = (
        dict(zip(seeds, values[:, cycle], strict=True))
        for seeds, values in (summary.complete_curves(run, name, "accuracy") for name in (first, second))
    )
    return summary.estimate(a[seed] - b[seed] for seed in sorted(a.keys() & b.keys()))


def _shares(run: Run, own: Lanes) -> np.ndarray | None:
    """Mean over seeds of the counts over an equal share [C, K], classes in the order of `_reference`."""
    shares = []
    for seed, whole, counts in zip(own.seeds, np.asarray(own.counted.all(axis=1)), own.counts, strict=True):
        if whole:
            order = np.argsort(-_reference(run, seed), kind="stable")
            shares.append((counts * counts.shape[1] / counts.sum(1, keepdims=True))[:, order])
    return np.mean(shares, axis=0) if shares else None


def _reference(run: Run, seed: int) -> np.ndarray:
    """The last counts [K] of the first strategy that a seed has: random, if it was run."""
    rows = ((own, own.seeds.index(seed)) for own in run.lanes.values() if seed in own.seeds)
    own, row = next((own, row) for own, row in rows if own.counted[row].any())
    return own.counts[row, np.flatnonzero(own.counted[row])[-1]]
