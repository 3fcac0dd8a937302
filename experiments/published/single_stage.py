"""What single-stage selection on imbalanced data (Aggarwal et al., WACV 2020, supplement) publishes: Tables 6 to 12."""

import itertools
import math
from typing import NamedTuple

from experiments.published import _csv

CLASSES = {"food101": 101, "cifar100": 100, "imagenet100": 100, "mit67": 67}
BUDGETS = (500, 1000, 2000)
CELLS = tuple(itertools.product(CLASSES, BUDGETS))  # the order of the columns
SEEDS = 5  # of random sampling and k-center
SNAPSHOTS = 6  # of the source for an ensemble
SOURCE_EPOCHS = 90


class Row(NamedTuple):
    """A row of a table."""

    cells: dict[tuple[str, int], float]  # (data set, budget) -> value, in the order of CELLS
    overall: float  # G_AL or the average over the cells as printed, NaN where there is none


def _load(name: str, table: int, column: str, value: str) -> dict[str, Row]:
    rows = {}
    for line in _csv.rows(name):
        if (line["table"], line[column]) == (str(table), value):
            *texts, overall = list(line.values())[3:]
            cells = {key: float(text) for key, text in zip(CELLS, texts, strict=True) if text}
            rows[line["strategy"]] = Row(cells, float(overall) if overall else math.nan)
    return rows


def load_accuracy(table: int, scheme: str = "") -> dict[str, Row]:
    """Accuracies in % and G_AL of Tables 6 to 9 and 12.

    Args:
      table: 6 and 7 are imbalanced data before and after balancing, 8 and 9 balanced data, 12 two schemes.
      scheme: "svm" or "network" for Table 12, which has no G_AL and half of the data sets; else "".

    Returns:
      strategy -> row; "full" is training on every label, the same at every budget.
    """
    return _load("single_stage_accuracy.csv", table, "scheme", scheme)


def load_found(table: int, quantity: str) -> dict[str, Row]:
    """What was selected from balanced data, Tables 10 and 11.

    Table 11 prints the same triples for CIFAR-100 and IMN-100 in both inverted strategies.

    Args:
      table: 10 before balancing, 11 after it.
      quantity: "classes" found or imbalance "ratio".

    Returns:
      strategy -> row; "full" is the whole data set.
    """
    return _load("single_stage_found.csv", table, "quantity", quantity)
