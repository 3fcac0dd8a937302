"""What stands beside the claims of CBAL, VaB-AL and the ICPR paper: gains by cycle, and averages over all trials."""

from collections.abc import Sequence

import numpy as np

from experiments.paper.groups import Group
from experiments.paper.sentences import over, series
from experiments.published.claims import Claim, printed
from experiments.report import class_progress, gains, summary
from experiments.report.markdown import Part, number, plus_minus

# Metric, part of the curve, scale, digits.
Column = tuple[str, str, float, int]
VABAL: dict[str, Column] = {
    "mean of all rounds, %": ("accuracy", "all", 100.0, 2),
    "last round, %": ("accuracy", "last", 100.0, 2),
    "rare share, mean": ("rare_share", "all", 1.0, 3),
    "rare share, last": ("rare_share", "last", 1.0, 3),
}
MINORITY: dict[str, Column] = {
    "accuracy, mean, %": ("accuracy", "mean", 100.0, 2),
    "accuracy, last, %": ("accuracy", "last", 100.0, 2),
    "imbalance ratio, early": ("imbalance_ratio", "early", 1.0, 3),
    "imbalance ratio, last": ("imbalance_ratio", "last", 1.0, 3),
}


def of_cbal(groups: Sequence[Group]) -> list[Part]:
    """Gains of the balanced forms at single cycles, run by run (Tables 1 to 3)."""
    parts: list[Part] = ["## Gains by cycle\n\nAccuracy of the balanced form minus its plain form, in points."]
    for group in groups:
        for run in group.runs:
            parts += [f"### {group.place.title}", gains.gain_table(run, gains.balanced_pairs(run.strategies))]
    return parts


def of_vabal(groups: Sequence[Group]) -> list[Part]:
    """The averages over the nine runs of Fig. 3b and 4a, and over those of any other group."""
    claim = Claim("", "vabal", "vabal@likelihood", "accuracy", "", "+", "")
    told = [printed("vabal", claim._replace(over=what), "cifar10 dominant") for what in ("all", "last")]
    text = (
        "## Averages over all trials\n\nEvery seed of every run of a group is a trial, as in Fig. 3 and 4, whose nine "
        "are three seeds of three splits; ± one standard error over the trials. The paper's tables have `vabal` "
        f"{' and '.join(number(points, 2, '+') for points in told)} points over `vabal@likelihood` on the split of "
        "dominant CIFAR-10 that has both, over all rounds and in the last."
    )
    return [text, table(groups, VABAL)]


def of_minority(groups: Sequence[Group]) -> list[Part]:
    """Accuracy and imbalance ratio of every strategy (Fig. 1 to 5), and when lanes went over to fine-tuning."""
    text = (
        "## Averages over all trials\n\nEvery seed of every run of a group is a trial; ± one standard error over them."
    )
    parts: list[Part] = [text, table(groups, MINORITY)]
    went = [[group.place.title, *row] for group in groups for run in group.runs for row in class_progress.switches(run)]
    if went:
        said = "## The switch\n\nLabels at the first cycle in which a lane that began with the SVM trained the network."
        parts += [said, (["runs", "strategy", "labels, by seed"], went)]
    return parts


def table(groups: Sequence[Group], columns: dict[str, Column]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each strategy of each group, its complete seeds over all runs, and the columns' means."""
    rows = []
    for group in groups:
        for name in dict.fromkeys(name for run in group.runs for name in run.lanes):
            trials = sum(len(series(run, name, "accuracy")[0]) for run in group.runs)
            cells = []
            for metric, what, scale, digits in columns.values():
                curves = [curve for run in group.runs for curve in series(run, name, metric)[1]]
                values = summary.estimate(scale * np.array([over(curve, what) for curve in curves]))
                cells.append(plus_minus(values.mean, values.se, digits))
            rows.append([group.place.title, name, str(trials), *cells])
    return ["runs", "strategy", "trials", *columns], rows
