"""The report of a single-stage run: accuracies over the budgets with G_AL, classes found and imbalance ratios.

The layout is that of WACV 2020, supplement, Tables 6 to 12. A budget stands in the place of a cycle.
"""

import math

import numpy as np

from experiments.published import single_stage
from experiments.report import PROGRESS, class_progress, summary
from experiments.report.markdown import Part, machine, number, plus_minus
from experiments.report.missing import ranges
from experiments.report.names import plain
from experiments.report.runs import Lanes, Run, of_lanes

FULL = "full"  # the selection of every row of the pool
WHAT = (
    ("found", "Classes found", "Classes that have a label (Tables 10 and 11).", 2),
    ("imbalance_ratio", "Imbalance ratio", "Deviation over mean of the class counts.", 3),
)


def write_sections(run: Run) -> list[Part]:
    """The paragraphs and tables of the report, and `PROGRESS` beside them."""
    schemes = list(dict.fromkeys(one.scheme for one in run.strategies))
    best = max(schemes, key=lambda scheme: np.nan_to_num(full_accuracy(run, scheme)))
    drawn = [own._replace(strategy=own.strategy._replace(scheme="")) for own in _selections(run, best)]
    if drawn:
        class_progress.draw(of_lanes(run, drawn))
    parts: list[Part] = [
        f"# Single-stage selection on {plain(run.config.get('dataset') or 'an unnamed data set')}",
        f"Seeds {ranges(run.seeds)}; mean ± one standard error. All settings are in `config.json`.",
        machine(run.environment),
    ]
    for scheme in schemes:
        parts += [
            f"## Accuracy, {scheme}\n\nIn %; a class that was not found counts 0 (ACC_t). G_AL is the mean of "
            "(accuracy - full) / (100 - full) over the budgets, full being all labels of the pool in the same scheme; "
            "the paper's is over its four data sets, with a source of ImageNet (Tables 6 to 9).",
            accuracy_table(run, scheme),
        ]
    for metric, title, text, digits in WHAT:
        parts += [f"## {title}\n\n{text}", counts_table(run, metric, digits)]
    if drawn:
        parts += [f"![Accuracy, imbalance ratio and classes found]({PROGRESS})", f"*Accuracy of {best}.*"]
    return parts


def accuracy_table(run: Run, scheme: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each selection's ACC_t in % at every budget and its G_AL; the pool's labels in the last row."""
    full, rows = full_accuracy(run, scheme), []
    for own in _selections(run, scheme):
        values = found_accuracy(own)
        cells = [summary.estimate(column) for column in values.T]
        overall = summary.estimate(g_al(row, full) for row in values)
        rows.append(
            [
                own.strategy.short,
                *(plus_minus(c.mean, c.se, 2) for c in cells),
                plus_minus(overall.mean, overall.se, 3),
                number(_published(own.strategy.short, _is_imbalanced(run)), 3),
            ]
        )
    if not math.isnan(full):
        rows.append([FULL, *[number(full, 2)] * len(_budgets(run)), "0", "0"])
    return ["selection", *_budgets(run), "G_AL", "paper"], rows


def counts_table(run: Run, metric: str, digits: int) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a property of the selected labels at every budget and its mean over the budgets."""
    rows = []
    for own in _selections(run, run.strategies[0].scheme):
        cells = [summary.estimate(column) for column in own.metrics[metric].T]
        overall = summary.estimate(cell.mean for cell in cells)
        texts = (plus_minus(c.mean, c.se, digits) for c in cells)
        rows.append([own.strategy.short, *texts, number(overall.mean, digits)])
    return ["selection", *_budgets(run), "mean"], rows


def found_accuracy(own: Lanes) -> np.ndarray:
    """ACC_t in % [S, C]: mean over the classes of the recall, 0 for a class without a label; NaN where not recorded."""
    recall = np.where(own.counts > 0, np.nan_to_num(own.recall), 0.0)
    return np.where(own.counted, 100 * recall.mean(axis=2), np.nan)


def full_accuracy(run: Run, scheme: str) -> float:
    """ACC_t in % with all labels of the pool, mean over the seeds; NaN where it was not run."""
    lanes = [own for own in run.lanes.values() if own.strategy.short == FULL and own.strategy.scheme == scheme]
    return summary.estimate(value for own in lanes for value in found_accuracy(own).ravel()).mean


def g_al(accuracy: np.ndarray, full: float) -> float:
    """Mean over the budgets of (accuracy - full) / (100 - full), both in %; NaN where one is not known."""
    return float(np.mean((accuracy - full) / (100 - full)))


def _is_imbalanced(run: Run) -> bool:
    """Whether the pool has the class sizes of another data set, which differ unless their ratio is 0."""
    return run.config.get("profile") == "transfer" and run.config.get("source_ratio", 1.0) > 0


def _published(name: str, imbalanced: bool) -> float:
    """G_AL as printed, NaN for a selection that the paper lacks."""
    table = (6 if imbalanced else 8) + ("-bal" in name)
    row = single_stage.load_accuracy(table).get(name.replace("-bal", ""))
    return row.overall if row else math.nan


def _selections(run: Run, scheme: str) -> list[Lanes]:
    """The lanes of a scheme but for all labels of the pool."""
    return [own for own in run.lanes.values() if own.strategy.scheme == scheme and own.strategy.short != FULL]


def _budgets(run: Run) -> list[str]:
    """A heading for each; none where only all labels of the pool were learned from."""
    lanes = [own.metrics["num_labelled"] for own in run.lanes.values() if own.strategy.short != FULL]
    columns = list(np.concatenate(lanes).T) if lanes else []
    return [f"{number(summary.estimate(column).mean, 0)} labels" for column in columns]
