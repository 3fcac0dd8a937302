"""Class profiles and the subsample that realises them."""

from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import lognorm

from alfamous_jax import imbalance

pytestmark = pytest.mark.slow

LABELS = jnp.asarray(np.random.default_rng(0).permutation(np.repeat(np.arange(4), [40, 25, 10, 5])))


@pytest.mark.parametrize(
    ("counts", "minority", "ratio", "expected"),
    [
        ((40, 25, 10, 5), (1, 0, 1, 0), 0.1, (4, 25, 1, 5)),
        ((19, 25, 7), (1, 0, 1), 0.1, (1, 25, 0)),
        ((4500, 4500), (0, 1), 0.3, (4500, 1350)),
        ((10, 20), (1, 1), 1.0, (10, 20)),
        ((10, 20), (0, 0), 0.1, (10, 20)),
    ],
    ids=["two_of_four", "rounds_down", "cbal", "ratio_one", "no_minority"],
)
def test_step_profile_by_hand(counts, minority, ratio, expected):
    profile = imbalance.step_profile(jnp.array(counts), jnp.array(minority, bool), ratio)
    assert jnp.issubdtype(profile.dtype, jnp.integer)
    np.testing.assert_array_equal(profile, expected)


@pytest.mark.parametrize("ratio", ["0.01", "0.1", "0.23", "0.3", "0.5"])
def test_step_profile_is_exact_for_every_count(ratio):
    """A class of 1000 at 10 % keeps 100 rows, not 99."""
    counts = np.arange(20_000)
    profile = imbalance.step_profile(jnp.asarray(counts), jnp.ones(20_000, bool), float(ratio))
    fraction = Fraction(ratio)
    np.testing.assert_array_equal(profile, counts * fraction.numerator // fraction.denominator)


def test_what_is_nearly_a_whole_number_is_rounded_down():
    """442.9994 is 442; a float32 product with a slack of a thousandth made 443 of it."""
    ratio = 442.9994 / 4500
    assert imbalance.step_profile(jnp.array([4500]), jnp.array([True]), ratio).tolist() == [442]
    assert imbalance.exp_profile(jnp.array([4500, 4500]), ratio).tolist() == [4500, 442]
    jitted = jax.jit(lambda counts: imbalance.exp_profile(counts, ratio))
    assert jitted(jnp.array([4500, 4500])).tolist() == [4500, 442]


@pytest.mark.parametrize(("largest", "num", "ratio"), [(4500, 10, 0.1), (450, 100, 0.05), (13_107_201, 37, 0.013)])
def test_exponential_profile_in_rational_numbers(largest, num, ratio):
    """Sizes by decimals of 60 digits, rounded down once."""
    with localcontext() as context:
        context.prec = 60
        root = [Decimal(str(ratio)) ** (Decimal(k) / Decimal(num - 1)) for k in range(num)]
        expected = [int((largest * factor + Decimal("1e-7")).to_integral_value(ROUND_FLOOR)) for factor in root]
    assert imbalance.exp_profile(jnp.full(num, largest), ratio).tolist() == expected


@pytest.mark.parametrize(("ratio", "pool"), [(1.0, 50_000), (0.3, 34_250), (0.1, 29_750)], ids=["full", "0.3", "0.1"])
def test_pool_sizes_of_class_balanced_active_learning(ratio, pool):
    profile = imbalance.step_profile(jnp.full(10, 4500), jnp.arange(10) >= 5, ratio)
    assert 5000 + profile.sum() == pool


def test_exponential_profile_of_the_authors_of_cbal():
    expected = [4500, 3484, 2697, 2088, 1617, 1252, 969, 750, 581, 450]
    np.testing.assert_array_equal(imbalance.exp_profile(jnp.full(10, 4500), 0.1), expected)
    np.testing.assert_array_equal(imbalance.exp_profile(jnp.array([100, 20, 3]), 0.25), [100, 20, 3])
    np.testing.assert_array_equal(imbalance.exp_profile(jnp.array([7, 7]), 1.0), [7, 7])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.813])
def test_log_normal_sizes_have_nearly_the_ratio(ratio):
    """Against SciPy's quantiles; the ratio of the sizes stays below the one asked for by a percent or two."""
    sizes = np.asarray(imbalance.lognormal_counts(ratio, 1000), np.float64)
    if ratio:
        deviation = np.sqrt(np.log(1 + ratio**2))
        np.testing.assert_allclose(sizes, lognorm(deviation).ppf((np.arange(1000) + 0.5) / 1000), rtol=1e-4)
    assert 0.98 * ratio <= sizes.std() / sizes.mean() <= ratio
    with pytest.raises(ValueError, match="ratio must be at least 0"):
        imbalance.lognormal_counts(-1.0, 10)


@pytest.mark.parametrize(
    "target", [(4, 25, 1, 5), (0, 0, 0, 0), (40, 25, 10, 5), (100, 3, 100, 0)], ids=["some", "none", "all", "too_many"]
)
def test_subsample_keeps_the_target_or_all_there_are(target):
    mask = imbalance.subsample(jax.random.key(0), LABELS, jnp.array(target))
    assert mask.shape == LABELS.shape and mask.dtype == bool
    kept = np.bincount(np.asarray(LABELS)[np.asarray(mask)], minlength=4)
    np.testing.assert_array_equal(kept, np.minimum(target, [40, 25, 10, 5]))


def test_subsample_is_uniform_within_a_class():
    target = jnp.array([10, 5, 4, 1])
    keys = jax.random.split(jax.random.key(1), 2000)
    masks = np.asarray(jax.vmap(lambda key: imbalance.subsample(key, LABELS, target))(keys))
    share = np.array([10 / 40, 5 / 25, 4 / 10, 1 / 5])[LABELS]
    np.testing.assert_allclose(masks.mean(0), share, atol=5 * np.sqrt(0.25 / 2000))


def test_same_key_same_rows_and_a_larger_target_adds_to_them():
    few, again, many, other = (
        np.asarray(imbalance.subsample(jax.random.key(key), LABELS, jnp.array(target)))
        for key, target in [(2, (10, 5, 4, 1)), (2, (10, 5, 4, 1)), (2, (20, 9, 4, 3)), (3, (10, 5, 4, 1))]
    )
    np.testing.assert_array_equal(few, again)
    assert (few <= many).all()
    assert (few != other).any()


def test_jit_equals_eager():
    target = jnp.array([4, 25, 1, 5])
    jitted = jax.jit(imbalance.subsample)(jax.random.key(4), LABELS, target)
    np.testing.assert_array_equal(jitted, imbalance.subsample(jax.random.key(4), LABELS, target))
