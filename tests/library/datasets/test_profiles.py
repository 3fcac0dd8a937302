"""Class sizes solved for: Table I of the ICPR paper, whatever the cut; the shape against SciPy's quantiles."""

import numpy as np
import pytest
from scipy.stats import lognorm

from alfamous_jax.datasets import profiles
from experiments.published.minority import INDUCED

# Training rows of a class. Those of MIT-67 differ from class to class, and no list of them is at hand.
AVAILABLE = {"food101": (750,), "cifar100": (500,), "mit67": (600, 660, 714, 10**6)}


@pytest.mark.parametrize(("dataset", "rows"), [(name, rows) for name, each in AVAILABLE.items() for rows in each])
def test_table_1(dataset, rows):
    row = INDUCED[dataset]
    sizes = profiles.transferred(np.full(row.classes, rows), row.images / row.classes, row.deviation / row.mean)
    assert sizes.sum() == row.images and sizes.min() > 0 and sizes.max() <= rows
    assert sizes.std() == pytest.approx(row.deviation, abs=0.1), "sizes are whole numbers"
    assert round(sizes.std() / sizes.mean(), 3) == row.ratio
    assert (np.diff(sizes) >= 0).all()


def test_without_a_cut_the_shape_is_the_log_normal():
    sizes = profiles.transferred(np.full(8, 10**7), 1e6, 0.813)

    def means(deviation):
        parts = np.array_split(lognorm(deviation).ppf((np.arange(1000) + 0.5) / 1000), 8)
        found = np.array([part.mean() for part in parts])
        return 1e6 * found / found.mean()

    deviations = np.linspace(0.5, 1.5, 100_001)
    low, high = 0, len(deviations) - 1
    while high - low > 1:  # by halves, the ratio grows with the deviation
        middle = (low + high) // 2
        found = means(deviations[middle])
        low, high = (middle, high) if found.std() / found.mean() < 0.813 else (low, middle)
    np.testing.assert_allclose(sizes, means(deviations[low]), rtol=1e-4)


def test_a_cut_keeps_the_order_of_what_is_left():
    """The classes that are cut have all their rows; the others have one scale."""
    counts = np.full(30, 90)
    sizes = profiles.transferred(counts, 50.0, 0.6)
    assert (
        sizes.sum() == 1500 and (sizes == 90).sum() >= 3 and sizes.std() / sizes.mean() == pytest.approx(0.6, abs=5e-3)
    )


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_properties(ratio, seed):
    counts = np.random.default_rng(seed).integers(1, 400, 20)
    for mean in (1.0, 30.0, 150.0, 1000.0):
        sizes = profiles.transferred(counts, mean, ratio)
        assert (sizes <= counts).all() and (sizes >= 0).all()
        assert sizes.sum() <= min(round(20 * mean), counts.sum())
    few = profiles.transferred(np.full(20, 1000), 30.0, ratio)
    assert few.sum() == 600 and few.std() / few.mean() == pytest.approx(ratio, abs=0.01)


def test_balanced_subsets():
    assert profiles.transferred(np.array([80, 500, 200]), 60.0, 0.0).tolist() == [60] * 3
    assert profiles.transferred(np.array([80, 500, 200]), 172.0, 0.0).tolist() == [80] * 3, "the mean gives way"
    assert profiles.transferred(np.array([3, 4]), 0.0, 0.5).tolist() == [0, 0]


def test_the_ratio_comes_before_the_mean():
    sizes = profiles.transferred(np.full(10, 100), 172.0, 0.74)
    assert sizes.std() / sizes.mean() == pytest.approx(0.74, abs=0.01) and 40 < sizes.mean() < 100 and sizes.min() > 0
