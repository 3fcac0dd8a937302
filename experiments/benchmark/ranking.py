"""Strategies over many data sets: ranks, wins, corrected tests (Demsar, 2006, JMLR 7)."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from experiments.report.runs import Run
from experiments.report.summary import compare

LEVEL = 0.05


def ranks(scores: np.ndarray) -> np.ndarray:
    """Rank of each strategy on each pool, 1 the best, ties shared.

    Args:
      scores: higher is better [pools, strategies].

    Returns:
      ranks [pools, strategies].
    """
    return np.asarray(stats.rankdata(-scores, axis=1))


def friedman(scores: np.ndarray) -> float:
    """p of the hypothesis that all strategies are alike; NaN of fewer than three strategies or two pools."""
    num_pools, num_strategies = scores.shape
    if num_pools < 2 or num_strategies < 3:
        return np.nan
    return float(stats.friedmanchisquare(*scores.T).pvalue)


def critical_distance(num_strategies: int, num_pools: int, level: float = LEVEL) -> float:
    """Mean ranks that differ by less than this are not told apart by Nemenyi's test (Demsar, 2006, 3.2.2)."""
    quantile = stats.studentized_range.ppf(1 - level, num_strategies, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(num_strategies * (num_strategies + 1) / (6 * num_pools)))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number (Holm, 1979); NaN stays and counts for nothing."""
    p = np.asarray(p_values, float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    corrected = np.full_like(p, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return corrected


def wins(runs: Sequence[Run], strategies: Sequence[str], metric: str = "macro_f1") -> np.ndarray:
    """On how many pools a strategy beats another beyond chance, the paired t-tests of a pool corrected by Holm.

    Args:
      runs: one a pool.
      strategies: names.
      metric: of the records, its mean over the cycles.

    Returns:
      pools on which the strategy of the row is higher [strategies, strategies].
    """
    count = np.zeros((len(strategies),) * 2, int)
    pairs = [(i, j) for i in range(len(strategies)) for j in range(i)]
    for run in runs:
        tests = [compare(run, strategies[i], strategies[j], metric) for i, j in pairs]
        for (i, j), test, p in zip(pairs, tests, holm([test.t_p for test in tests]), strict=True):
            if p < LEVEL:
                count[(i, j) if test.mean > 0 else (j, i)] += 1
    return count
