"""Minority-class-oriented sampling against loops in float64, and the toys of its rules."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import imbalance
from alfamous_jax.selection import diversity, minority

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
VARIANTS = pytest.mark.parametrize("within", minority.WITHIN)


def pool(seed, num=60, num_classes=4):
    """Rows with probabilities, features, classes, masks and class counts that are far from equal."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(num_classes, num, p=[0.6, 0.25, 0.1, 0.05])
    probs = rng.dirichlet(np.ones(num_classes), num)
    probs = (0.5 * probs + 0.5 * np.eye(num_classes)[labels]).astype(np.float32)
    order = rng.permutation(num)
    labelled, available = order < 20, order >= 23
    counts = np.bincount(labels[labelled], minlength=num_classes)
    return probs, counts, rng.normal(size=(num, 5)).astype(np.float32), labels, labelled, available


def loops(probs, counts, features, labels, labelled, available, budget, within, rest):
    """The rule row by row: slots, candidates, order."""
    features = features.astype(np.float64)
    top = np.sort(probs, axis=1)
    margin, predicted = top[:, -1] - top[:, -2], probs.argmax(axis=1)
    lacking = np.floor(np.maximum(counts.sum() / len(counts) - counts, 0)).astype(int)
    left, picks, for_class = available.copy(), [], []
    while len(picks) < budget and left.any():
        open_classes = [k for k in range(len(counts)) if lacking[k] > 0 and (left & (predicted == k)).any()]
        if not open_classes:
            picks.append(int(np.argmax(np.where(left, rest, -np.inf))))
            for_class.append(-1)
            left[picks[-1]] = False
            continue
        k = max(open_classes, key=lambda c: (lacking[c], -c))
        candidates = np.flatnonzero(left & (predicted == k))
        if within == "diverse":
            near = [features[i] for i in np.flatnonzero(labelled & (labels == k))]
            near += [features[p] for p, c in zip(picks, for_class, strict=True) if c == k]
            near = near or [features.mean(axis=0)]
            worth = [min(np.linalg.norm(features[i] - other) for other in near) for i in candidates]
        else:
            worth = [(1 if within == "certain" else -1) * margin[i] for i in candidates]
        picks.append(int(candidates[np.argmax(worth)]))
        for_class.append(k)
        left[picks[-1]] = False
        lacking[k] -= 1
    return picks, sum(c >= 0 for c in for_class)


@VARIANTS
@pytest.mark.parametrize("seed", range(4))
def test_against_loops(within, seed):
    """Budgets below the allowances, above them and above the pool."""
    arrays = pool(seed)
    probs, counts, *_, available = arrays
    lacked = int(minority.allowance(counts).sum())
    top = np.sort(probs, axis=1)
    for budget in (3, 12, 50):
        expected, num = loops(*arrays, budget, within, top[:, -2] - top[:, -1])
        picks = minority.select(KEY, *arrays, budget=budget, within=within, auxiliary="margin")
        count = min(budget, available.sum())
        assert picks.num_selected == count and picks.num_invalid == 0
        assert picks.objective == picks.bound == lacked - num
        assert picks.indices[:count].tolist() == expected and (picks.indices[count:] == -1).all()


def test_allowance():
    """Eq. 3: the mean of (2, 8, 5, 1) is 4; of (1, 1, 3) it is 5/3, which leaves nothing once rounded down."""
    assert minority.allowance(jnp.array([2, 8, 5, 1])).tolist() == [2, 0, 0, 3]
    assert minority.allowance(jnp.array([1, 1, 3])).tolist() == [0, 0, 0]
    assert minority.allowance(jnp.array([1, 1, 1])).tolist() == [0, 0, 0]


def one_hot_pool(predicted, counts):
    """Every row surely of a class, all available."""
    num = len(predicted)
    ranks = np.eye(len(counts), dtype=np.float32)[predicted], np.array(counts)
    features = np.arange(num, dtype=np.float32)[:, None]
    return *ranks, features, np.zeros(num, int), np.zeros(num, bool), np.ones(num, bool)


@VARIANTS
def test_more_allowed_than_slots(within):
    """m = (2, 0, 0, 3) and four slots: classes 3, 0, 3, 0, which levels them."""
    predicted = np.array([0, 1, 2, 3] * 5)
    picks = minority.select(KEY, *one_hot_pool(predicted, [2, 8, 5, 1]), budget=4, within=within)
    assert predicted[picks.indices].tolist() == [3, 0, 3, 0] and picks.objective == 5 - 4


def test_fewer_candidates_than_allowed():
    """All of them are taken, whatever the order, and the auxiliary fills the batch."""
    predicted = np.array([1] * 12 + [3])
    batches = []
    for within in minority.WITHIN:
        picks = minority.select(KEY, *one_hot_pool(predicted, [2, 8, 5, 1]), budget=5, within=within)
        assert picks.objective == 5 - 1 and picks.num_selected == 5 and picks.indices[0] == 12
        batches.append(picks.indices.tolist())
    assert batches[0] == batches[1] == batches[2]


@VARIANTS
def test_no_batch_leaves_fewer_labels_lacking(within):
    """All 56 batches of 3 of 8 rows: the objective is the least of them, as the closed form says."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        probs, features = rng.dirichlet(np.ones(3), 8).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
        counts, available = rng.integers(0, 7, 3), rng.random(8) < 0.8
        allowed, predicted = np.asarray(minority.allowance(counts)), probs.argmax(axis=1)

        def lacking(rows, allowed=allowed, predicted=predicted):
            return np.maximum(allowed - np.bincount(predicted[list(rows)], minlength=3), 0).sum()

        rows = np.flatnonzero(available)
        least = min(lacking(batch) for batch in itertools.combinations(rows, min(3, len(rows))))
        within_reach = np.minimum(allowed, np.bincount(predicted[rows], minlength=3)).sum()
        arrays = probs, counts, features, np.zeros(8, int), np.zeros(8, bool), available
        picks = minority.select(KEY, *arrays, budget=3, within=within)
        assert picks.objective == picks.bound == least == allowed.sum() - min(3, within_reach)
        assert lacking(picks.indices[picks.indices >= 0]) == least
        assert picks.objective.dtype == probs.dtype


def test_the_random_auxiliary_follows_the_key():
    arrays = pool(0)
    draws = [minority.select(jax.random.key(seed), *arrays, budget=20).indices.tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


@VARIANTS
def test_rows_that_are_not_finite(within):
    """They are counted and passed over, labelled or not."""
    probs, counts, features, labels, labelled, available = pool(1)
    spoilt = features.copy()
    bad = np.flatnonzero(available)[[1, 5]]
    spoilt[bad, 2] = np.nan, np.inf
    picks = minority.select(KEY, probs, counts, spoilt, labels, labelled, available, budget=40, within=within)
    assert picks.num_invalid == 2 and not set(bad.tolist()) & set(picks.indices.tolist())
    assert picks.num_selected == available.sum() - 2


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="got 'surest' and 'random'"):
        minority.select(KEY, *pool(0), budget=2, within="surest")
    with pytest.raises(ValueError, match="got 'diverse' and 'entropy'"):
        minority.select(KEY, *pool(0), budget=2, auxiliary="entropy")


class TestDiversify:
    """Round robin over the classes of a source model."""

    def test_the_papers_order(self):
        got = diversity.diversify(-jnp.arange(7.0), jnp.array([3, 3, 1, 3, 2, 1, 1]), jnp.ones(7, bool), budget=5)
        assert got.indices.tolist() == [0, 2, 4, 1, 5]

    @pytest.mark.parametrize("seed", range(5))
    def test_against_the_passes_of_algorithm_1(self, seed):
        rng = np.random.default_rng(seed)
        utility, groups, available = rng.integers(0, 6, 30) / 2, rng.integers(0, 5, 30), rng.random(30) < 0.8
        ranking = [i for i in np.argsort(-utility, kind="stable") if available[i]]
        picks = []
        while len(picks) < len(ranking):
            taken = set()
            for i in ranking:
                if i not in picks and groups[i] not in taken:
                    picks.append(int(i))
                    taken.add(groups[i])
        for budget in (1, 8, 40):
            got = diversity.diversify(jnp.float32(utility), jnp.asarray(groups), jnp.asarray(available), budget=budget)
            assert got.indices.tolist() == (picks + [-1] * 40)[:budget]

    def test_rows_that_are_not_finite(self):
        utility = jnp.array([jnp.nan, 1.0, jnp.inf, 0.5])
        available = jnp.array([True, True, True, True])
        got = diversity.diversify(utility, jnp.array([0, 1, 2, 1]), available, budget=3)
        assert got.indices.tolist() == [1, 3, -1] and got.num_selected == 2 and got.num_invalid == 2


class TestTransfer:
    """The class profile of one data set on another."""

    def test_bins_of_equally_many_classes(self):
        """10, 20, ..., 120 in four bins: means 20, 50, 80, 110 over 65."""
        counts = jnp.full(4, 10**6)
        got = imbalance.transfer_profile(jnp.arange(10, 130, 10), counts, 100_000.0)
        assert got.tolist() == [30769, 76923, 123077, 169231]
        assert imbalance.transfer_profile(jnp.arange(10, 130, 10), jnp.full(4, 100), 100.0).tolist() == [
            31,
            77,
            100,
            100,
        ]

    def test_the_imbalance_ratio_is_kept(self):
        """Of 1,000 log-normal classes on 100."""
        source = np.exp(0.7123 * np.random.default_rng(0).normal(size=1000)) * 1000
        got = np.asarray(imbalance.transfer_profile(jnp.float32(source), jnp.full(100, 10**6), 1000.0), float)
        assert abs(got.std() / got.mean() - source.std() / source.mean()) < 0.02 * source.std() / source.mean()

    def test_too_few_classes(self):
        with pytest.raises(ValueError, match="source_counts: 3 classes cannot be cut into 4 bins"):
            imbalance.transfer_profile(jnp.arange(3), jnp.arange(4), 1.0)
