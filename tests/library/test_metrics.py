"""Metrics against scikit-learn, pairwise loops, hand values and the published tables."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from alfamous_jax import metrics

BATCH = np.array([[1.0, 1.0, 2.0], [2.0, 1.0, 1.0], [0.0, 3.0, 1.0]])


@pytest.mark.parametrize("num_classes", [2, 5, 26], ids="{}_classes".format)
@pytest.mark.parametrize("skew", [0.2, 10.0], ids=["imbalanced", "balanced"])
def test_accuracy_and_f1_equal_scikit_learn(num_classes, skew):
    rng = np.random.default_rng(num_classes)
    labels = rng.choice(num_classes, 200, p=rng.dirichlet(np.full(num_classes, skew)))
    predictions = np.where(rng.random(200) < 0.6, labels, rng.integers(0, num_classes, 200))
    expected = f1_score(labels, predictions, labels=np.arange(num_classes), average="macro", zero_division=0)
    got = metrics.macro_f1(jnp.asarray(labels), jnp.asarray(predictions), num_classes)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    accuracy = metrics.accuracy(jnp.asarray(labels), jnp.asarray(predictions))
    np.testing.assert_allclose(accuracy, accuracy_score(labels, predictions), rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "predictions", "num_classes", "expected"),
    [
        ((0, 0, 0, 1, 1, 2), (0, 0, 1, 1, 0, 2), 3, (2 / 3 + 1 / 2 + 1) / 3),
        ((0, 1), (0, 1), 2, 1.0),
        ((0, 1), (1, 0), 2, 0.0),
        ((0, 1), (0, 1), 4, 0.5),
        ((0, 0, 0, 1), (0, 0, 0, 0), 2, 3 / 7),
    ],
    ids=["three_classes", "right", "wrong", "absent_classes_count_zero", "majority_only"],
)
def test_macro_f1_by_hand(labels, predictions, num_classes, expected):
    value = metrics.macro_f1(jnp.array(labels), jnp.array(predictions), num_classes)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_log_loss_and_calibration_against_scikit_learn_and_loops(num_bins):
    rng = np.random.default_rng(num_bins)
    probs = rng.dirichlet(np.full(4, 0.5), 300)
    labels = rng.integers(0, 4, 300)
    np.testing.assert_allclose(
        metrics.log_loss(jnp.asarray(labels), jnp.asarray(probs, jnp.float32)), log_loss(labels, probs), rtol=1e-5
    )
    error = 0.0
    for i in range(num_bins):
        inside = (probs.max(axis=1) > i / num_bins) & (probs.max(axis=1) <= (i + 1) / num_bins)
        if inside.any():
            right = np.mean(probs.argmax(axis=1)[inside] == labels[inside])
            error += inside.mean() * abs(right - probs.max(axis=1)[inside].mean())
    got = metrics.calibration_error(jnp.asarray(labels), jnp.asarray(probs, jnp.float32), num_bins)
    np.testing.assert_allclose(got, error, atol=1e-5)


def test_a_label_that_was_ruled_out_costs_much_and_not_everything():
    assert np.isfinite(metrics.log_loss(jnp.array([0]), jnp.array([[0.0, 1.0]])))


def test_accuracy_by_hand():
    labels, predictions = jnp.array([0, 0, 0, 1, 1, 2]), jnp.array([0, 0, 1, 1, 0, 2])
    np.testing.assert_allclose(metrics.accuracy(labels, predictions), 4 / 6, rtol=1e-6)


class TestClassBalanceIndex:
    """Eq. 9 of AL-FaMoUS and the min-max form that the published table was computed with."""

    def test_shares_by_hand(self):
        # shares .4 .3 .2 .1: population variance .0125
        index = metrics.class_balance_index(jnp.array([40, 30, 20, 10]))
        np.testing.assert_allclose(index, 1 / np.sqrt(0.0125), rtol=1e-6)

    def test_minmax_by_hand(self):
        # scaled to 1, 2/3, 1/3, 0: variance with three degrees of freedom (1/4 + 1/36) 2/3 = 5/27
        index = metrics.class_balance_index(jnp.array([40, 30, 20, 10]), normalize="minmax")
        np.testing.assert_allclose(index, np.sqrt(27 / 5), rtol=1e-6)

    @pytest.mark.parametrize("num_classes", [5, 7, 10, 24, 26], ids="{}_classes".format)
    def test_one_class_only(self, num_classes):
        counts = jnp.zeros(num_classes).at[3].set(32)
        np.testing.assert_allclose(
            metrics.class_balance_index(counts), num_classes / np.sqrt(num_classes - 1), rtol=1e-5
        )
        np.testing.assert_allclose(metrics.class_balance_index(counts, "minmax"), np.sqrt(num_classes), rtol=1e-5)

    def test_is_classes_over_imbalance_ratio(self):
        counts = jnp.asarray(np.repeat([1000, 100], 5))
        np.testing.assert_allclose(metrics.imbalance_ratio(counts), 0.8181818, rtol=1e-6)
        np.testing.assert_allclose(metrics.class_balance_index(counts), 12.2222222, rtol=1e-6)

    @pytest.mark.parametrize("normalize", ["sum", "minmax"])
    def test_does_not_depend_on_the_number_of_labels(self, normalize):
        counts = np.array([3, 1, 4, 1, 5])
        few, many = (metrics.class_balance_index(jnp.asarray(counts * n), normalize) for n in (1, 1000))
        np.testing.assert_allclose(few, many, rtol=1e-5)

    @pytest.mark.parametrize("normalize", ["sum", "minmax"])
    @pytest.mark.parametrize("count", [7, 1000], ids="{}_each".format)
    def test_equal_counts_are_perfect_balance(self, normalize, count):
        assert metrics.class_balance_index(jnp.full(10, count), normalize) == np.inf

    def test_unknown_normalisation_is_an_error(self):
        with pytest.raises(ValueError, match="median"):
            metrics.class_balance_index(jnp.ones(3), normalize="median")

    @pytest.mark.parametrize(
        ("num_classes", "budget", "cycles", "published"),
        [(26, 32, 20, 2.79), (10, 100, 7, 2.29), (10, 100, 10, 2.29), (10, 300, 20, 2.05), (24, 100, 6, 2.70)],
        ids=["LETTER", "MNIST", "FMNIST", "CIFAR10", "CROP"],
    )
    def test_minmax_reproduces_random_sampling_in_the_paper(self, num_classes, budget, cycles, published):
        """Half of the classes at a tenth: the mean over cycles, over 200 simulated runs, within a tenth."""
        share = np.repeat([1.0, 0.1], num_classes // 2)
        draws = np.random.default_rng(0).multinomial(budget, share / share.sum(), (200, cycles + 1))
        counts = jnp.asarray(draws.cumsum(1).reshape(-1, num_classes))
        index = jax.vmap(lambda c: metrics.class_balance_index(c, "minmax"))(counts)
        assert abs(index.mean() - published) < 0.1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 12, 0, 0), 1.0),
        ((3, 3, 3, 3), 0.0),
        (np.repeat([1000, 100], 5), 0.454545),
        (np.repeat([1000, 300], 5), 0.299145),
    ],
    ids=["one_class", "uniform", "step_ratio_0.1", "step_ratio_0.3"],
)
def test_l1_score(counts, expected):
    np.testing.assert_allclose(metrics.l1_score(jnp.asarray(counts)), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float32])
def test_l1_score_of_large_counts_is_that_of_shares(dtype):
    """A thousand classes of 1,281 rows, one of them forty times larger: 2 n (K - 1) exceeds 32 bits."""
    counts = np.full(1000, 25 if dtype == np.uint8 else 1281, dtype)
    counts[0] = 250 if dtype == np.uint8 else 51_281
    shares = counts.astype(float) / counts.astype(float).sum()
    expected = np.abs(shares - 1e-3).sum() / (2 * (1 - 1e-3))
    np.testing.assert_allclose(metrics.l1_score(jnp.asarray(counts)), expected, rtol=1e-5)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=12))
def test_l1_score_lies_between_0_and_1(counts):
    assert 0 <= metrics.l1_score(jnp.asarray(counts)) <= 1


def test_before_any_label():
    none = jnp.zeros(5, int)
    assert metrics.l1_score(none) == 0 and metrics.imbalance_ratio(none) == 0
    for normalize in ("sum", "minmax"):
        assert metrics.class_balance_index(none, normalize) == np.inf


def test_one_class_is_balanced():
    assert metrics.l1_score(jnp.array([7])) == 0 and metrics.imbalance_ratio(jnp.array([7])) == 0
    assert (
        metrics.class_balance_index(jnp.array([7])) == metrics.class_balance_index(jnp.array([7]), "minmax") == np.inf
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((5, 5, 5), 0.0), ((0, 10), 1.0), ((1, 2, 3, 4), np.sqrt(1.25) / 2.5)],
    ids=["uniform", "undiscovered_class", "ramp"],
)
def test_imbalance_ratio(counts, expected):
    np.testing.assert_allclose(metrics.imbalance_ratio(jnp.array(counts)), expected, atol=1e-6)


class TestDiversity:
    """Of a batch of rows."""

    features = np.random.default_rng(1).gamma(0.5, size=(12, 7)).astype(np.float32)

    def test_hand_values(self):
        np.testing.assert_allclose(metrics.euclidean_diversity(jnp.asarray(BATCH)), 2.23071014, rtol=1e-6)
        np.testing.assert_allclose(metrics.kl_diversity(jnp.asarray(BATCH)), 0.19696410, rtol=1e-5)

    @pytest.mark.parametrize("shift", [0.0, 30.0], ids=["near_zero", "shifted"])
    def test_euclidean_equals_a_loop(self, shift):
        features = self.features + np.float32(shift)
        expected = oracles.euclidean_diversity(features.astype(float))
        np.testing.assert_allclose(metrics.euclidean_diversity(jnp.asarray(features)), expected, rtol=1e-5)

    def test_kl_equals_a_loop(self):
        sparse = np.where(self.features < 0.1, 0, self.features)
        expected = oracles.kl_diversity(sparse.astype(float))
        np.testing.assert_allclose(metrics.kl_diversity(jnp.asarray(sparse)), expected, rtol=1e-5)

    def test_kl_normalises_the_rows(self):
        scale = np.arange(1, 13)[:, None]
        scaled = metrics.kl_diversity(jnp.asarray(scale * self.features))
        np.testing.assert_allclose(scaled, metrics.kl_diversity(jnp.asarray(self.features)), rtol=1e-5)

    def test_kl_of_a_row_of_zeros_is_that_of_an_even_one(self):
        features = np.concatenate([self.features, np.zeros((1, 7), np.float32)])
        expected = oracles.kl_diversity(np.concatenate([self.features, np.full((1, 7), 3.0)]).astype(float))
        np.testing.assert_allclose(metrics.kl_diversity(jnp.asarray(features)), expected, rtol=1e-5)

    def test_kl_of_signed_features_is_not_defined(self):
        assert jnp.isnan(metrics.kl_diversity(jnp.asarray(self.features - 0.1)))
        assert jnp.isnan(metrics.kl_diversity(jnp.array([[-1.0, 3.0], [1.0, 1.0]])))

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
    def test_whole_numbers(self, dtype):
        """What the same numbers give as floats, whose squares an int8 has no room for."""
        features = (100 * np.minimum(self.features, 1.2)).astype(dtype)
        for diversity in (metrics.euclidean_diversity, metrics.kl_diversity):
            expected = diversity(jnp.asarray(features, jnp.float32))
            np.testing.assert_array_equal(diversity(jnp.asarray(features)), expected)

    def test_kl_of_disjoint_rows_is_log_b(self):
        np.testing.assert_allclose(metrics.kl_diversity(3 * jnp.eye(5)), np.log(5), rtol=1e-6)

    def test_equal_rows_have_none(self):
        same = jnp.asarray(np.tile(self.features[:1], (4, 1)))
        np.testing.assert_allclose(metrics.euclidean_diversity(same), 0.0, atol=1e-6)
        np.testing.assert_allclose(metrics.kl_diversity(same), 0.0, atol=1e-6)


def test_g_al_of_the_full_model_is_zero():
    full = jnp.array([65.85, 59.49])
    np.testing.assert_allclose(metrics.g_al(full, full), 0.0, atol=1e-7)
    np.testing.assert_allclose(metrics.g_al(jnp.array([40.0, 60.0]), jnp.array([80.0, 80.0])), -1.5, rtol=1e-6)
