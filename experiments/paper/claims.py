"""Do the paper's claims hold here? Orderings over all data sets, and single sentences, as paired tests with Holm's p.

A claim is a difference of two strategies in one metric, its mean over the cycles paired seed by seed. Holm's
correction is over all differences of one page.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from experiments.paper.runs import dataset_of, pairs, title_of
from experiments.plan.strategies import parse
from experiments.published import alfamous
from experiments.published.alfamous import Claim
from experiments.report import summary
from experiments.report.markdown import DIGITS, LABELS, NOTHING, number, p_value, plus_minus
from experiments.report.runs import Run

LEVEL = 0.05
NAMES = {"": "baseline", "-cb": "CB", "-fbu": "FBU", "-alfamous": "AL-FaMoUS"}
ORDERINGS = (
    *(("cbi", "-alfamous", other) for other in ("", "-cb", "-fbu")),
    ("cbi", "-cb", ""),
    *(("macro_f1", "-alfamous", other) for other in ("", "-cb", "-fbu")),
    ("macro_f1", "-cb", ""),
    ("macro_f1", "-fbu", ""),
    ("ed_diversity", "-fbu", ""),
    ("ed_diversity", "-alfamous", ""),
    ("ed_diversity", "-alfamous", "-fbu"),
)
ORDERING_HEADER = (
    "claim",
    "paper",
    "of those run",
    "here",
    "p < .05, for / against",
    "Holm, for / against",
    "not here",
)
CLAIM_HEADER = ("data set", "claim", "comparison", "text", "tables", "here", "seeds won", "p (t-test)", "p (Holm)", "")
CURVE_HEADER = ("data set", "claim", "comparison", "text", "here")


class Comparison(NamedTuple):
    """First strategy minus second in one metric of one run, beside the published difference."""

    run: Run
    first: str
    second: str
    metric: str
    paired: summary.Paired
    published: float  # NaN where there is none
    holm: float  # the corrected p; NaN where there is no p

    def sign(self) -> int:
        """1, 0 or -1: the sign of the difference at the digits of the tables, 0 is a tie."""
        return int(np.sign(round(self.paired.mean, DIGITS[self.metric])))

    def significant(self, corrected: bool = True) -> bool:
        """Whether p < .05; never for a tie."""
        return self.sign() != 0 and (self.holm if corrected else self.paired.t_p) < LEVEL


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p_(i) becomes max over j <= i of min(1, (m - j) p_(j)), j from 0; NaN stays."""
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    corrected, largest = [math.nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        corrected[i] = largest
    return corrected


def all_tests(runs: Sequence[Run]) -> dict[tuple[str, str, str, str], Comparison]:
    """Every comparison that a claim is about, once, and where some seed is complete in both strategies.

    Args:
      runs: at most one per data set.

    Returns:
      (dataset, first, second, metric) -> Comparison.
    """
    by_dataset = {dataset_of(run): run for run in runs}
    wanted = [(dataset_of(run), family + a, family + b, m) for m, a, b in ORDERINGS for run, family in pairs(runs)]
    claims = [claim for claim in alfamous.load_claims() if claim.statistic == "mean"]
    wanted += [claim[:4] for claim in claims if claim.dataset in by_dataset]
    found = {}
    for key in dict.fromkeys(wanted):
        dataset, first, second, metric = key
        paired = summary.compare(by_dataset[dataset], first, second, metric)
        if paired.num:
            found[key] = Comparison(by_dataset[dataset], *key[1:], paired, alfamous.difference(*key), math.nan)
    corrected = holm([test.paired.t_p for test in found.values()])
    return {key: test._replace(holm=p) for (key, test), p in zip(found.items(), corrected, strict=True)}


def ordering_rows(runs: Sequence[Run], tests: dict) -> list[list[str]]:
    """The orderings as rows under `ORDERING_HEADER`, from `all_tests`."""
    everywhere = [(dataset, family) for dataset in alfamous.TITLES for family in ("us", "bald")]
    rows = []
    for metric, first, second in ORDERINGS:
        keys = [(dataset_of(run), family + first, family + second, metric) for run, family in pairs(runs)]
        own = [tests[key] for key in keys if key in tests]
        published = [alfamous.difference(d, family + first, family + second, metric) for d, family in everywhere]
        cells = [_at_least_zero(published), _at_least_zero([test.published for test in own]), _holding(own)]
        cells += [_for_and_against(own, corrected) for corrected in (False, True)]
        losses = [_loss(test) for test in own if test.sign() < 0]
        rows.append([f"{LABELS[metric]}: {NAMES[first]} ≥ {NAMES[second]}", *cells, "; ".join(losses) or NOTHING])
    return rows


def ordering_sentence(tests: dict) -> str:
    """All orderings in one sentence."""
    named = {(metric, first, second) for metric, first, second in ORDERINGS}
    own = [test for test in tests.values() if _ordering(test) in named]
    better, ties = (sum(test.sign() == sign for test in own) for sign in (1, 0))
    significant = [test.sign() for test in own if test.significant()]
    worse = len(own) - better - ties
    return (
        f"Of {len(own)} differences {better} go the way of the ordering, {ties} are ties and {worse} "
        f"go the other way; after Holm's correction {significant.count(1)} are significant for it and "
        f"{significant.count(-1)} against it, {len(own) - len(significant)} are open."
    )


def claim_rows(runs: Sequence[Run], tests: dict) -> list[list[str]]:
    """Claims on means over the cycles as rows under `CLAIM_HEADER`."""
    titles, rows = {dataset_of(run): title_of(run) for run in runs}, []
    for claim in alfamous.load_claims():
        test = tests.get(claim[:4])
        if claim.statistic == "mean" and test:
            scale, digits = _points(claim.metric)
            paired = test.paired
            cells = [titles[claim.dataset], claim.sentence, _comparison(claim), claim.claimed]
            cells += [number(scale * test.published, digits, "+")]
            cells += [plus_minus(scale * paired.mean, scale * paired.se, digits, "+"), f"{paired.wins} of {paired.num}"]
            rows.append([*cells, p_value(paired.t_p), p_value(test.holm), verdict(test, claim.sign)])
    return rows


def verdict(test: Comparison, sign: int) -> str:
    """A claim that the difference has a sign, in a word or two."""
    if test.sign() == 0:
        return "tie"
    same = test.sign() == sign
    if test.significant():
        return "**holds**" if same else "**the contrary**"
    return f"{'same' if same else 'other'} sign, not significant"


def curve_rows(runs: Sequence[Run]) -> list[list[str]]:
    """Claims on learning curves as rows under `CURVE_HEADER`, read off the means over the complete seeds."""
    by_dataset, rows = {dataset_of(run): run for run in runs}, []
    for claim in alfamous.load_claims():
        run = by_dataset.get(claim.dataset)
        if run and claim.statistic != "mean" and {claim.first, claim.second} <= run.lanes.keys():
            read = _peak if claim.statistic == "peak" else _label_ratio
            rows.append([title_of(run), claim.sentence, _comparison(claim), claim.claimed, read(run, claim)])
    return rows


def labels_at(labels: np.ndarray, curve: np.ndarray, level: float) -> float:
    """Labels at which a curve first comes to a level, linear between its points; NaN if it does not.

    Args:
      labels: [points], rising.
      curve: [points].
      level: to reach.

    Returns:
      number of labels.
    """
    reached = np.flatnonzero(curve >= level)
    if not reached.size:
        return math.nan
    i = int(reached[0])
    if i == 0:
        return float(labels[0])
    return float(np.interp(level, curve[i - 1 : i + 1], labels[i - 1 : i + 1]))


def _mean_curve(run: Run, name: str, metric: str) -> np.ndarray:
    return summary.mean_curve(summary.complete_curves(run, name, metric)[1])


def _peak(run: Run, claim: Claim) -> str:
    differences = _mean_curve(run, claim.first, claim.metric) - _mean_curve(run, claim.second, claim.metric)
    signed = claim.sign * differences[1:]
    if np.isnan(signed).all():
        return NOTHING
    at = int(np.nanargmax(signed)) + 1
    labels = _mean_curve(run, claim.first, "num_labelled")[at]
    return f"{100 * differences[at]:+.1f} at {labels:.0f} labels"


def _label_ratio(run: Run, claim: Claim) -> str:
    needed = []
    for name in (claim.first, claim.second):
        labels, curve = (_mean_curve(run, name, metric) for metric in ("num_labelled", claim.metric))
        needed.append(labels_at(labels, curve, claim.level))
        if math.isnan(needed[-1]) or curve[0] >= claim.level:
            return f"{name} {'does not come to' if curve[0] < claim.level else 'starts above'} {claim.level:g}"
    return f"{needed[1] / needed[0]:.2f} ({needed[1]:.0f} to {needed[0]:.0f} labels)"


def _ordering(test: Comparison) -> tuple[str, str, str]:
    first, second = parse(test.first), parse(test.second)
    forms = [f"-{one.form}" * bool(one.form) for one in (first, second)]
    return (test.metric, forms[0], forms[1]) if first.base == second.base else ("", "", "")


def _points(metric: str) -> tuple[float, int]:
    """Accuracy and F1 are told in points of .01, the rest as in the tables."""
    return (100.0, 1) if metric in ("accuracy", "macro_f1") else (1.0, DIGITS[metric])


def _comparison(claim: Claim) -> str:
    return f"{claim.first} vs {claim.second}, {LABELS[claim.metric]}"


def _at_least_zero(differences: Iterable[float]) -> str:
    known = [difference for difference in differences if not math.isnan(difference)]
    return f"{sum(difference >= 0 for difference in known)} of {len(known)}"


def _holding(tests: Sequence[Comparison]) -> str:
    ties = sum(test.sign() == 0 for test in tests)
    text = f"{sum(test.sign() >= 0 for test in tests)} of {len(tests)}"
    return text + (f" ({ties} {'tie' if ties == 1 else 'ties'})" if ties else "")


def _for_and_against(tests: Sequence[Comparison], corrected: bool) -> str:
    signs = [test.sign() for test in tests if test.significant(corrected)]
    return f"{signs.count(1)} / {signs.count(-1)}"


def _loss(test: Comparison) -> str:
    scale, digits = _points(test.metric)
    difference = number(scale * test.paired.mean, digits, "+")
    p = f"p {p_value(test.paired.t_p)}" if not math.isnan(test.paired.t_p) else "no p"
    paper = ", the paper's too" if test.published < 0 else ""
    return f"{title_of(test.run)} {parse(test.first).base} {difference} ({p}{paper})"
