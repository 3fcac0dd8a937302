"""Class sizes with a mean and an imbalance ratio wanted, in the shape of another data set (WACV 2020, section 4).

The papers deal ImageNet's profile to the classes of a target and cut it where a class has fewer rows. The cut lowers
both mean and ratio; what they report (ICPR 2020, Table I) is what is left. Here the spread and the scale of the profile
are solved for, so that what is left has the numbers reported.
"""

import numpy as np
from scipy import special

NUM_SOURCE = 1000  # classes of the source
WIDEST = 1.5  # deviation of the logarithm of the source's class sizes, at most; ImageNet's ratio needs .71


def transferred(counts: np.ndarray, mean: float, ratio: float) -> np.ndarray:
    """Class sizes with the shape of a log-normal source, whose mean and ratio are those wanted after the cut.

    The shape is that of `imbalance.transfer_profile`: quantiles of a log-normal in as many bins of equally many
    classes as there are target classes.

    Args:
      counts: rows that each class has [K], the most it can get.
      mean: rows a class on average; K times the mean is rounded.
      ratio: deviation over mean of the class sizes, .740 to .793 in ICPR 2020; 0 is as many rows of each class.

    Returns:
      target counts [K], rising with the class but for the cut. Where no sizes have both, the largest mean below that
      has the ratio; where none has, the ratio that is nearest.
    """
    counts = np.asarray(counts, np.int64)
    total = min(round(mean * len(counts)), int(counts.sum()))
    if total <= 0:
        return np.zeros_like(counts)
    if not _reaches(counts, total, ratio) and _reaches(counts, 1, ratio):
        least, most = 1, total
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if _reaches(counts, middle, ratio) else (least, middle)
        total = least
    return _rounded(_sizes(counts, total, _spread(counts, total, ratio)), counts, total)


def _sizes(counts: np.ndarray, total: int, spread: float) -> np.ndarray:
    """Sizes [K] that sum to the total: the shape times a scale, cut at the counts."""
    source = np.exp(
        spread * special.ndtri((np.arange(max(NUM_SOURCE, len(counts))) + 0.5) / max(NUM_SOURCE, len(counts)))
    )
    shape = np.array([part.mean() for part in np.array_split(source, len(counts))])
    # The sum grows with the scale, in a straight line between those at which a class is cut.
    scales = np.unique(np.concatenate([[0.0], counts / shape]))
    sums = np.minimum(scales[:, None] * shape, counts).sum(axis=1)
    sizes: np.ndarray = np.minimum(np.interp(total, sums, scales) * shape, counts)
    return sizes


def _ratio(counts: np.ndarray, total: int, spread: float) -> float:
    return float(_sizes(counts, total, spread).std() * len(counts) / total)


def _reaches(counts: np.ndarray, total: int, ratio: float) -> bool:
    return _ratio(counts, total, 0.0) <= ratio + 1e-9 and ratio <= _ratio(counts, total, WIDEST)


def _spread(counts: np.ndarray, total: int, ratio: float) -> float:
    """The spread of the source at which the sizes have the ratio, or the nearest end."""
    low, high = (_ratio(counts, total, end) for end in (0.0, WIDEST))
    if ratio <= low or high <= ratio:
        return 0.0 if ratio <= low else WIDEST
    from scipy import optimize  # not with the package: SciPy's solvers take a while to import

    return float(optimize.brentq(lambda spread: _ratio(counts, total, spread) - ratio, 0.0, WIDEST))


def _rounded(sizes: np.ndarray, counts: np.ndarray, total: int) -> np.ndarray:
    """Whole sizes with the same sum: those with the largest fractions are rounded up."""
    whole = np.floor(sizes + 1e-9).astype(np.int64)
    order = np.argsort(whole - sizes, kind="stable")
    order = order[whole[order] < counts[order]]
    whole[order[: total - int(whole.sum())]] += 1
    return whole
