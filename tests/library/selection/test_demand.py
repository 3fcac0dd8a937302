"""What classes lack, by hand and against chance itself; columns of classes that a classifier has not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfamous_jax.selection import balance


@pytest.mark.parametrize(
    ("counts", "total", "expected"),
    [
        ((40, 30, 20, 10), 100, (0, 0, 5, 15)),
        ((40, 30, 20, 10), 120, (0, 0, 10, 20)),
        ((0, 0), 32, (16, 16)),
        ((5, 5, 5), 15, (0, 0, 0)),
        ((1, 0, 0), 1, (0, 1 / 3, 1 / 3)),
    ],
    ids=["labels_known_now", "total_after_the_batch", "nothing_labelled", "balanced", "no_truncation"],
)
def test_class_demand(counts, total, expected):
    np.testing.assert_allclose(balance.class_demand(jnp.array(counts), total), expected, atol=1e-6)


class TestShrinkage:
    """Of the unevenness of counts, what chance does not explain."""

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            ((9, 2, 1), 1 - 2 / 9.5),
            ((30, 10), 1 - 1 / 10),
            ((4, 3, 5), 0.0),  # chi^2 .5, below 2
            ((7, 7, 7, 7), 0.0),
            ((0, 0, 0), 0.0),
            ((5,), 0.0),
        ],
        ids=str,
    )
    def test_by_hand(self, counts, expected):
        for function in (balance.shrinkage, jax.jit(balance.shrinkage)):
            np.testing.assert_allclose(function(jnp.array(counts)), expected, rtol=1e-6)

    @pytest.mark.parametrize("classes", [3, 10, 77])
    @pytest.mark.parametrize("labels", [30, 300, 3000])
    def test_even_classes_are_left_alone(self, classes, labels):
        """SciPy's chi-square against equal shares; by chance it is rarely far above its mean."""
        from scipy.stats import chisquare

        rng = np.random.default_rng(0)
        counts = rng.multinomial(labels, np.full(classes, 1 / classes), 500)
        found = np.asarray(jax.vmap(balance.shrinkage)(counts))
        statistic = chisquare(counts, axis=1).statistic
        expected = np.maximum(1 - (classes - 1) / np.maximum(statistic, 1e-12), 0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert found.mean() < (0.25 if classes == 3 else 0.13) and np.median(found) < 0.05

    def test_with_more_labels_uneven_classes_count_in_full(self):
        shares = np.array([1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1]) / 5.5
        rng = np.random.default_rng(0)
        found = [
            float(np.mean(jax.vmap(balance.shrinkage)(rng.multinomial(labels, shares, 200))))
            for labels in (20, 60, 200, 2000)
        ]
        assert found == sorted(found) and 0.3 < found[0] < 0.6 and found[-1] > 0.98

    @given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.randoms(use_true_random=False))
    @settings(deadline=None, max_examples=30)
    def test_bounds_hold_and_the_order_of_classes_does_not_matter(self, counts, random):
        found, turned = float(balance.shrinkage(jnp.array(counts))), random.sample(counts, len(counts))
        assert 0 <= found <= 1
        np.testing.assert_allclose(float(balance.shrinkage(jnp.array(turned))), found, rtol=1e-4, atol=1e-6)


class TestExpandClasses:
    """Columns of the classes that a classifier knows, put where they belong."""

    probs = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)

    def test_hand_computed(self):
        expected = np.array([[0.0, 0.2, 0.0, 0.5, 0.3], [0.0, 1.0, 0.0, 0.0, 0.0]], np.float32)
        expand = jax.jit(balance.expand_classes, static_argnums=2)
        for classes in (np.array([1, 4, 3]), np.array([1, 4, 3], np.uint8), jnp.array([1, 4, 3])):
            np.testing.assert_array_equal(balance.expand_classes(self.probs, classes, 5), expected)
            np.testing.assert_array_equal(expand(self.probs, classes, 5), expected)

    def test_all_classes_in_order_change_nothing(self):
        np.testing.assert_array_equal(balance.expand_classes(self.probs, np.arange(3), 3), self.probs)

    def test_any_leading_axes(self):
        stack = np.stack([self.probs, self.probs[::-1]])
        expected = np.stack([balance.expand_classes(x, np.array([2, 0, 3]), 4) for x in stack])
        np.testing.assert_array_equal(balance.expand_classes(stack, np.array([2, 0, 3]), 4), expected)

    @pytest.mark.parametrize("classes", [[0, 1, 1], [0, 1, 5], [-1, 1, 2]], ids=str)
    def test_classes_that_cannot_be(self, classes):
        with pytest.raises(ValueError, match=r"classes must be distinct and in 0\.\.4, got"):
            balance.expand_classes(self.probs, np.array(classes), 5)
        inside = np.asarray(jax.jit(balance.expand_classes, static_argnums=2)(self.probs, np.array(classes), 5))
        kept = self.probs[:, [0 <= c < 5 for c in classes]].sum(1)
        np.testing.assert_allclose(inside.sum(1), kept, rtol=1e-6)

    @pytest.mark.parametrize("classes", [[0, 1], [[0, 1, 2]]], ids=str)
    def test_another_number_of_columns(self, classes):
        with pytest.raises(ValueError, match="a column for each of the classes"):
            balance.expand_classes(self.probs, np.array(classes), 5)

    def test_the_rest_of_the_library_takes_them(self):
        """A classifier of scikit-learn that has seen classes 0 and 2 alone."""
        from sklearn.linear_model import LogisticRegression

        rng = np.random.default_rng(0)
        features = rng.normal(size=(40, 2)).astype(np.float32)
        labels = np.where(features[:, 0] > 0, 2, 0)
        model = LogisticRegression().fit(features, labels)
        probs = balance.expand_classes(model.predict_proba(features), model.classes_, 4)
        assert probs.shape == (40, 4)
        np.testing.assert_array_equal(jnp.argmax(probs, axis=1), model.predict(features))
        np.testing.assert_allclose(probs.sum(1), 1.0, rtol=1e-6)
