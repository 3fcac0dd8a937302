"""The claims of a paper's text over finished runs: differences paired seed by seed, with Holm's correction."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from experiments.paper.claims import LEVEL, holm
from experiments.paper.groups import Group
from experiments.published.claims import Claim
from experiments.report import summary
from experiments.report.markdown import LABELS, number, p_value, plus_minus
from experiments.report.runs import Run

HEADER = ("claim", "comparison", "text", "tables", "here", "seeds for it", "p (t-test)", "p (Holm)", "")
SCORES = ("claim", "comparison", "goes its way", "Holm, for / against")
POINTS = ("accuracy", "rare_share")  # told in points of .01
NAMES = {"imbalance_ratio": "imbalance ratio", "rare_share": "share of rare classes"}
OVER = {"mean": "", "all": "", "last": ", last", "first": ", first", "early": ", early", "growth": ", last - first"}


class Test(NamedTuple):
    """A claim on the runs of a group."""

    claim: Claim
    group: Group
    paired: summary.Paired  # a pair is one seed of one run
    agree: int  # pairs whose difference has the sign of the claim, of two called alike those above 0
    printed: float  # the paper's difference in points where the group is of its setting, NaN else
    holm: float


def all_tests(groups: Sequence[Group], claims: Sequence[Claim], printed: Callable[[Claim, str], float]) -> list[Test]:
    """Every claim on every group that it is about and that has a seed with both strategies.

    Args:
      groups: of one paper.
      claims: of that paper, in the order wanted.
      printed: the paper's difference for a claim in one of its settings, NaN without one.

    Returns:
      tests, group by group; Holm's correction is over all of them.
    """
    found = []
    for group in groups:
        for claim in (claim for claim in claims if claim.setting in group.place.settings):
            each = differences(group, claim)
            paired, agree = summary.paired(each), int(((claim.sign or 1) * each > 0).sum())
            if paired.num:
                told = printed(claim, group.place.title) if group.place.published else math.nan
                found.append(Test(claim, group, paired, agree, told, math.nan))
    corrected = holm([test.paired.t_p for test in found])
    return [test._replace(holm=p) for test, p in zip(found, corrected, strict=True)]


def differences(group: Group, claim: Claim) -> np.ndarray:
    """First minus second for each seed of each run that is complete in both."""
    found = []
    for run in group.runs:
        first, second = (
            dict(zip(*series(run, name, claim.metric), strict=True)) for name in (claim.first, claim.second)
        )
        found += [
            over(first[seed], claim.over) - over(second[seed], claim.over)
            for seed in sorted(first.keys() & second.keys())
        ]
    return np.array(found)


def series(run: Run, name: str, metric: str) -> tuple[list[int], np.ndarray]:
    """The complete seeds of a strategy and their values [seeds, C]; none of what was not run or not recorded."""
    if metric != "rare_share":
        return summary.complete_curves(run, name, metric)
    own, minority = run.lanes.get(name), run.config.get("minority")
    cut = minority if isinstance(minority, (list, tuple)) else ()
    if own is None or not cut or max(cut) >= own.counts.shape[2]:
        return [], np.empty((0, run.last_cycle + 1))
    kept = own.whole & np.asarray(own.counted.all(axis=1))
    counts = own.counts[kept]
    shares = counts[..., list(cut)].sum(axis=-1) / counts.sum(axis=-1)
    return [seed for seed, keep in zip(own.seeds, kept, strict=True) if keep], shares


def over(values: np.ndarray, what: str) -> float:
    """The part of a curve [C] that a claim is about, see `Claim.over`; NaN where the curve does not have it."""
    if what.startswith("cycle"):
        cycle = int(what.removeprefix("cycle"))
        return float(values[cycle]) if cycle < len(values) else math.nan
    later = values[1:]
    if what == "growth":
        return float(later[-1] - later[0]) if len(later) > 1 else math.nan
    early = later[: -(-len(later) // 4)]
    part = {"all": values, "mean": later, "first": values[:1], "last": values[-1:], "early": early}[what]
    known = part[~np.isnan(part)]
    return float(known.mean()) if known.size else math.nan


def rows(tests: Sequence[Test]) -> list[list[str]]:
    """The tests as rows under `HEADER`."""
    found = []
    for test in tests:
        claim, paired, (scale, digits) = test.claim, test.paired, _scale(test.claim.metric)
        cells = [claim.sentence, comparison(claim), claim.claimed, number(test.printed, 2, "+")]
        cells += [plus_minus(scale * paired.mean, scale * paired.se, digits, "+"), f"{test.agree} of {paired.num}"]
        found.append([*cells, p_value(paired.t_p), p_value(test.holm), verdict(test)])
    return found


def scorecard(tests: Sequence[Test]) -> list[list[str]]:
    """A row under `SCORES` for each claim that was tested on several groups and says which is ahead."""
    by_claim: dict[Claim, list[Test]] = {}
    for test in tests:
        by_claim.setdefault(test.claim, []).append(test)
    found = []
    for claim, own in by_claim.items():
        if len(own) > 1 and claim.sign:
            verdicts = [verdict(test) for test in own]
            for_it, against = (verdicts.count(word) for word in ("**holds**", "**the contrary**"))
            same = sum(_sign(test) == claim.sign for test in own)
            found.append([claim.sentence, comparison(claim), f"{same} of {len(own)}", f"{for_it} / {against}"])
    return found


def comparison(claim: Claim) -> str:
    """What is compared, in what, over which cycles."""
    metric = NAMES.get(claim.metric) or LABELS[claim.metric]
    return f"{claim.first} vs {claim.second}, {metric}{OVER.get(claim.over, f', {claim.over}')}"


def verdict(test: Test) -> str:
    """Whether the claim holds, in a word or two; of two that are called alike, whether they are told apart."""
    sign, apart = _sign(test), test.holm < LEVEL
    if test.claim.sign == 0:
        return "**told apart**" if apart and sign else "not told apart"
    if sign == 0:
        return "tie"
    if apart:
        return "**holds**" if sign == test.claim.sign else "**the contrary**"
    return f"{'same' if sign == test.claim.sign else 'other'} sign, not significant"


def sentence(tests: Sequence[Test]) -> str:
    """All tests in one sentence."""
    signed = [test for test in tests if test.claim.sign]
    same, ties = sum(_sign(test) == test.claim.sign for test in signed), sum(_sign(test) == 0 for test in signed)
    verdicts = [verdict(test) for test in tests]
    alike = len(tests) - len(signed)
    rest = f" Called alike: {alike}, of which told apart: {verdicts.count('**told apart**')}." * bool(alike)
    return (
        f"Of {len(signed)} differences {same} go the way of the claim, {ties} are ties and {len(signed) - same - ties} "
        f"go the other way; after Holm's correction {verdicts.count('**holds**')} are significant for it and "
        f"{verdicts.count('**the contrary**')} against it.{rest}"
    )


def _sign(test: Test) -> int:
    """The sign of the difference at the digits of the table, 0 is a tie."""
    scale, digits = _scale(test.claim.metric)
    return int(np.sign(round(scale * test.paired.mean, digits)))


def _scale(metric: str) -> tuple[float, int]:
    return (100.0, 2) if metric in POINTS else (1.0, 3)
