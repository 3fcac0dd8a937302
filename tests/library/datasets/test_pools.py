"""Pools made imbalanced by a key, the rows that are labelled first, and scaling."""

import jax
import numpy as np
import pytest

from alfamous_jax import datasets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def letter():
    return datasets.load("letter", num_classes=26, test_rows=5000)


def test_pools_of_all_seeds_share_a_shape(letter):
    size = datasets.pool_size(letter, datasets.Imbalance())
    counts = np.bincount(letter.y_train)
    sizes = []
    for seed in range(5):
        pool = datasets.imbalanced_pool(jax.random.key(seed), letter, datasets.Imbalance())
        rows = pool.rows[pool.available]
        assert pool.rows.shape == pool.available.shape == (size,)
        assert len(np.unique(rows)) == len(rows) and (np.diff(rows) > 0).all()
        kept = np.bincount(letter.y_train[rows], minlength=26)
        shrunk = kept < counts
        assert shrunk.sum() == 13
        np.testing.assert_array_equal(kept[shrunk], counts[shrunk] // 10)
        sizes.append(len(rows))
    assert len(set(sizes)) > 1 and max(sizes) <= size
    assert all(abs(n - 8274) < 150 for n in sizes), "Table 3 of AL-FaMoUS has 8274 rows"


def test_pool_follows_the_key(letter):
    draw = [datasets.imbalanced_pool(jax.random.key(seed), letter, datasets.Imbalance()).rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


def test_nothing_shrinks_without_minority(letter):
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, datasets.Imbalance(share=0.0))
    np.testing.assert_array_equal(pool.rows, np.arange(15000))
    assert pool.available.all()


@pytest.mark.parametrize("ratio, size", [(1.0, 5000), (0.3, 3425), (0.1, 2975)], ids=["full", "0.3", "0.1"])
def test_pools_of_class_balanced_active_learning(ratio, size):
    """A tenth is set aside, as many of each class; of the rest the second half of the classes is cut (CBAL 5.1)."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 500)).astype(np.int32)
    data = datasets.Dataset(np.zeros((5000, 1)), labels, np.zeros((1, 1)), np.zeros(1, int), 10)
    how = datasets.Imbalance(ratio=ratio, minority="last", initial_per_class=50)
    pools = [datasets.imbalanced_pool(jax.random.key(seed), data, how) for seed in (0, 1)]
    for pool in pools:
        assert datasets.pool_size(data, how) == len(pool.rows) == pool.available.sum() == size
        assert len(set(pool.rows.tolist())) == size
        np.testing.assert_array_equal(np.bincount(labels[pool.rows]), [500] * 5 + [50 + int(450 * ratio)] * 5)
        first = datasets.initial_rows(jax.random.key(5), pool, 500)
        np.testing.assert_array_equal(np.bincount(labels[pool.rows[first]]), [50] * 10)
    assert ratio == 1.0 or (pools[0].rows != pools[1].rows).any()
    assert (pools[0].reserved != pools[1].reserved).any()
    with pytest.raises(ValueError, match="class 0 has 500 rows, 501 of each are labelled first"):
        datasets.imbalanced_pool(jax.random.key(0), data, how._replace(initial_per_class=501))


@pytest.mark.parametrize(
    ("per_class", "named", "dominant", "ratio", "size"),
    [
        ([5000] * 10, [0], True, 0.1, 9_500),
        ([5000] * 10, [4], False, 0.1, 45_500),
        ([500] * 100, range(44, 55), True, 0.6, 32_200),
    ],
    ids=["CIFAR-10+[1]", "CIFAR-10-[5]", "CIFAR-100+[45:55]"],
)
def test_dominant_and_rare_pools(per_class, named, dominant, ratio, size):
    """The sizes of VaB-AL's splits; every seed cuts the same classes."""
    labels = np.repeat(np.arange(len(per_class)), per_class)
    data = datasets.Dataset(np.zeros((len(labels), 1)), labels, *[None] * 2, len(per_class))
    minority = tuple(k for k in range(len(per_class)) if (k in named) != dominant)
    how = datasets.Imbalance(ratio=ratio, minority=minority)
    assert datasets.pool_size(data, how) == size
    for seed in range(2):
        pool = datasets.imbalanced_pool(jax.random.key(seed), data, how)
        assert pool.available.all() and len(pool.rows) == size
        counts = np.bincount(labels[pool.rows])
        assert all(counts[k] == per_class[k] * (ratio if k in minority else 1) for k in range(len(counts)))


def test_nothing_is_cut_where_no_class_is_named(letter):
    assert datasets.pool_size(letter, datasets.Imbalance(minority=())) == 15_000


def test_exponential_pools(letter):
    how = datasets.Imbalance(profile="exponential", ratio=0.05)
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, how)
    assert pool.available.all() and len(pool.rows) == datasets.pool_size(letter, how)
    counts, kept = np.bincount(letter.y_train), np.bincount(letter.y_train[pool.rows], minlength=26)
    np.testing.assert_array_equal(kept, np.minimum(counts, np.floor(counts.max() * 0.05 ** (np.arange(26) / 25))))


@pytest.mark.parametrize("minority", ["drawn", "last"])
def test_transferred_pools_have_the_ratio_of_the_source(letter, minority):
    """Mean and ratio are those asked for; where the classes have too few rows for both, the ratio is."""
    how = datasets.Imbalance(profile="transfer", mean=100.0, minority=minority)
    sizes = []
    for seed in range(3):
        pool = datasets.imbalanced_pool(jax.random.key(seed), letter, how)
        assert len(pool.rows) == datasets.pool_size(letter, how)
        sizes.append(np.bincount(letter.y_train[pool.rows[pool.available]], minlength=26))
        assert sizes[-1].sum() == 2600 and sizes[-1].std() / sizes[-1].mean() == pytest.approx(0.813, abs=1e-3)
    assert (sizes[0] != sizes[1]).any() == (minority == "drawn")
    if minority == "last":
        assert (np.diff(sizes[0]) <= 0).all()
    cut = datasets.imbalanced_pool(jax.random.key(0), letter, how._replace(mean=2000.0))
    counts = np.bincount(letter.y_train[cut.rows[cut.available]], minlength=26)
    assert (counts <= np.bincount(letter.y_train)).all() and len(cut.rows) >= cut.available.sum()
    assert counts.min() > 0 and counts.std() / counts.mean() == pytest.approx(0.813, abs=1e-3)


def test_initial_rows_are_distinct_and_real(letter):
    pool = datasets.imbalanced_pool(jax.random.key(3), letter, datasets.Imbalance())
    rows = datasets.initial_rows(jax.random.key(4), pool, 500)
    assert len(np.unique(rows)) == 500 and pool.available[rows].all()
