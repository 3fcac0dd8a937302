"""What the text of the four papers beside AL-FaMoUS claims, one comparison of two strategies in each line."""

import math
from typing import NamedTuple

from experiments.published import cbal, single_stage, vabal
from experiments.published._csv import rows

PAPERS = ("cbal", "vabal", "minority", "single_stage")
OVER = ("mean", "all", "first", "early", "last", "growth")  # and cycleN


class Claim(NamedTuple):
    """First strategy minus second in one metric."""

    setting: str  # a data set of the paper with its cut, a kind of cut, "" where it is said of all
    first: str
    second: str
    metric: str  # accuracy, l1_score, imbalance_ratio, or rare_share: of the labels in classes that are cut
    over: str  # "mean" of the cycles after the start, "all" of them with it, the "first", the "last", a "cycle4"; the
    # "early" ones, a quarter of those after the start; "growth", the last cycle minus the first after the start
    claimed: str  # points of accuracy, a bare sign, or "=" where the two are called alike
    sentence: str

    @property
    def sign(self) -> int:
        """Which way the difference goes; 0 if there is none."""
        return {"+": 1, "-": -1, "=": 0}[self.claimed[0]]


def load(paper: str) -> list[Claim]:
    """The claims of a paper of `PAPERS`, in the order of its file."""
    return [Claim(**row) for row in rows(f"{paper}_claims.csv")]


def printed(paper: str, claim: Claim, setting: str) -> float:
    """The difference in points that the paper's tables give for a claim in one of its settings; NaN without one."""
    if claim.metric != "accuracy":
        return math.nan
    return {"cbal": _gain, "vabal": _lead, "single_stage": _mean_lead}.get(paper, _nothing)(claim, setting)


def _gain(claim: Claim, setting: str) -> float:
    """Of Tables 1 to 3: setting is a data set and an imbalance factor."""
    dataset, _, ratio = setting.partition(" ")
    config = {"dataset": dataset, "profile": "step", "minority": "last", "balanced_initial": True}
    gains = cbal.load_gains({**config, "minority_ratio": float(ratio)})
    if claim.second not in gains or claim.first != f"{claim.second}-cb":
        return math.nan
    points = gains[claim.second]
    if claim.over.startswith("cycle"):
        return points[int(claim.over.removeprefix("cycle")) - 1]
    return {"mean": sum(points) / len(points), "growth": points[-1] - points[0]}.get(claim.over, math.nan)


def _lead(claim: Claim, setting: str) -> float:
    """Of Tables 1 and 2 on CIFAR-10, the mean over the splits that they have of the strategies."""
    splits = {"cifar10 dominant": (0, 4, 9), "cifar10 whole": (None,)}.get(setting, ())
    leads = []
    for whole in splits if claim.over in ("all", "last") else ():
        minority = [k for k in range(10) if whole not in (k, None)]
        found = vabal.load_accuracies({"dataset": "cifar10", "num_classes": 10, "minority": minority})
        if claim.first in found and claim.second in found:
            leads.append(found[claim.first][claim.over == "last"] - found[claim.second][claim.over == "last"])
    return sum(leads) / len(leads) if leads else math.nan


def _mean_lead(claim: Claim, setting: str) -> float:
    """Of Tables 6 to 9, or 12 where a scheme is named, the mean over budgets: setting is a data set and its pool."""
    dataset, _, pool = setting.partition(" ")
    first, second = (_cells(name, pool) for name in (claim.first, claim.second))
    budgets = [cell for cell in first if cell in second and cell[0] == dataset]
    kept = {"all": budgets, "first": budgets[:1], "last": budgets[-1:]}.get(claim.over, [])
    leads = [first[cell] - second[cell] for cell in kept]
    return sum(leads) / len(leads) if leads else math.nan


def _cells(name: str, pool: str) -> dict[tuple[str, int], float]:
    short, _, scheme = name.partition(":")
    if scheme:
        row = single_stage.load_accuracy(12, scheme).get(short) if pool == "imbalanced" else None
    else:
        table = (6 if pool == "imbalanced" else 8) + ("-bal" in short)
        row = single_stage.load_accuracy(table).get(short.replace("-bal", ""))
    return row.cells if row else {}


def _nothing(claim: Claim, setting: str) -> float:
    return math.nan
