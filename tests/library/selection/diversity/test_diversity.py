"""k-center and BADGE against naive loops in float64, their sampling, and what they never form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from sklearn.datasets import load_digits

from alfamous_jax.selection import _space, diversity

pytestmark = pytest.mark.slow

N, H, K = 60, 5, 3
KEY = jax.random.key(0)


def pool(seed, offset=0.0):
    rng = np.random.default_rng(seed)
    order = rng.permutation(N)
    features = rng.normal(size=(N, H)) * rng.uniform(0.5, 2, H) + offset
    return features.astype(np.float32), order < 15, (order >= 15) & (order < 55), rng


class TestKCenter:
    """Farthest-first traversal."""

    @pytest.mark.parametrize("offset", [0.0, 100.0], ids=["centred", "far_from_the_origin"])
    def test_equals_a_loop(self, offset):
        for seed in range(5):
            features, labelled, available, _ = pool(seed, offset)
            picked, radius = oracles.farthest_first(features.astype(float), labelled, available, 12)
            selection = diversity.k_center(features, labelled, available, budget=12)
            np.testing.assert_array_equal(selection.indices, picked)
            np.testing.assert_allclose(selection.objective, radius, rtol=1e-3)

    def test_points_on_a_line(self):
        points, labelled = jnp.array([[0.0], [1], [5], [9], [10]]), jnp.arange(5) == 0
        selection = diversity.k_center(points, labelled, ~labelled, budget=3)
        np.testing.assert_array_equal(selection.indices, [4, 2, 1])
        assert selection.objective == 1.0 and selection.num_selected == 3
        assert 0.5 * (1 - 3 * np.finfo(np.float32).eps) <= selection.bound <= 0.5

    def test_the_mean_is_no_centre(self):
        """With nothing labelled it serves for the first pick alone: 5 is the mean, and must be reachable later."""
        points, none = jnp.array([[0.0], [1], [5], [9], [10]]), jnp.zeros(5, bool)
        selection = diversity.k_center(points, none, ~none, budget=3)
        np.testing.assert_array_equal(selection.indices, [0, 4, 2])

    def test_bound_holds_for_the_best_centres(self):
        """No single choice of two more centres covers the pool within the bound."""
        features, labelled, available, _ = pool(6)
        features, labelled, available = features[:14], np.arange(14) < 2, np.arange(14) >= 2
        selection = diversity.k_center(features, labelled, available, budget=2)
        gaps = np.linalg.norm(features[:, None] - features[None], axis=-1)
        radii = [
            min(gaps[n, c] for c in (0, 1, i, j)) if n not in (i, j) else 0.0
            for i in range(2, 14)
            for j in range(i + 1, 14)
            for n in range(14)
        ]
        best = np.array(radii).reshape(-1, 14).max(1).min()
        assert 0 < selection.bound <= best <= selection.objective * (1 + 1e-5)

    @pytest.mark.parametrize("offset", [0.0, 2000.0], ids=["one_cluster", "two_clusters_far_apart"])
    def test_bound_is_never_above_the_best_radius(self, offset):
        """All choices of two centres more in float64; products of float32 cannot tell rows of the far cluster apart."""
        for seed in range(20):
            features = np.random.default_rng(seed).normal(size=(14, 8)).astype(np.float32)
            features[7:] += np.float32(offset)
            labelled = np.isin(np.arange(14), [0, 7])
            gaps = np.linalg.norm(features[:, None].astype(float) - features[None].astype(float), axis=-1)
            best = min(gaps[:, [0, 7, i, j]].min(1).max() for i in range(14) for j in range(i))
            selection = diversity.k_center(features, labelled, ~labelled, budget=2)
            assert 0.1 * best <= float(selection.bound) <= best
            assert selection.bound <= selection.objective

    def test_rows_that_repeat(self):
        """100 points, three times each: 99 picks cover them all, and 120 have a radius of 0."""
        points = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
        features, labelled = np.repeat(points, 3, axis=0), np.arange(300) < 1
        selection = diversity.k_center(features, labelled, ~labelled, budget=120)
        assert selection.objective == 0 and selection.bound == 0
        few = diversity.k_center(features, labelled, ~labelled, budget=50)
        assert 0 < few.bound <= few.objective

    def test_as_many_picks_as_rows(self):
        features, labelled, _, _ = pool(3)
        selection = diversity.k_center(features, labelled, np.arange(N) < 0, budget=4)
        assert selection.num_selected == 0 and selection.objective == 0 and selection.bound == 0
        selection = diversity.k_center(features, labelled, ~labelled, budget=N)
        assert selection.num_selected == (~labelled).sum() and selection.objective == 0 and selection.bound == 0

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, 7.0], ids=str)
    def test_rows_that_are_not_available_do_not_matter(self, bad):
        """Without a label the first pick is the farthest from the mean of what can be picked."""
        features, _, available, _ = pool(4, offset=100.0)
        expected, _ = oracles.farthest_first(
            features[available].astype(float), np.zeros(40, bool), np.ones(40, bool), 8
        )
        features[~available, 0] = bad
        selection = diversity.k_center(features, np.zeros(N, bool), available, budget=8)
        np.testing.assert_array_equal(selection.indices, np.flatnonzero(available)[expected])
        assert selection.num_invalid == 0

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint8"])
    def test_other_numbers(self, dtype):
        """What the same numbers give in float32, also where their squares exceed half precision."""
        features, labelled, available, _ = pool(5)
        features = jnp.asarray(40 * np.abs(features)).astype(dtype)
        expected = diversity.k_center(features.astype(jnp.float32), labelled, available, budget=8)
        selection = diversity.k_center(features, labelled, available, budget=8)
        for got, wanted in zip(selection, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)

    def test_more_labelled_rows_than_a_block(self):
        """Distances to the labelled rows are taken a block at a time."""
        rng = np.random.default_rng(7)
        features = rng.normal(size=(700, 8)).astype(np.float32)
        labelled = rng.random(700) < 0.6
        assert labelled.sum() > 2 * _space.BLOCK
        picked, radius = oracles.farthest_first(features.astype(float), labelled, ~labelled, 3)
        selection = diversity.k_center(features, labelled, ~labelled, budget=3)
        np.testing.assert_array_equal(selection.indices, picked)
        np.testing.assert_allclose(selection.objective, radius, rtol=1e-4)

    def test_a_labelled_row_that_is_not_finite_is_no_centre(self):
        features, labelled, available, _ = pool(8)
        lost = np.flatnonzero(labelled)[0]
        fewer = labelled & (np.arange(N) != lost)
        picked, _ = oracles.farthest_first(features.astype(float), fewer, available, 8)
        features[lost] = np.nan
        np.testing.assert_array_equal(diversity.k_center(features, labelled, available, budget=8).indices, picked)

    def test_digits(self):
        """A real pool: the radius falls with every pick, and the last is the distance of the next."""
        features = load_digits().data.astype(np.float32)[:600]
        labelled = np.arange(600) < 20
        short, long = (diversity.k_center(features, labelled, ~labelled, budget=size) for size in (20, 21))
        np.testing.assert_array_equal(short.indices, long.indices[:20])
        centres = np.concatenate([features[:20], features[np.asarray(short.indices)]])
        gap = np.linalg.norm(features[int(long.indices[20])] - centres, axis=1).min()
        np.testing.assert_allclose(short.objective, gap, rtol=1e-4)
        assert long.objective <= short.objective


class TestKCenterBalanced:
    """CBAL Algorithm 2."""

    @pytest.mark.parametrize("lam", [0.0, 0.3, 5.0], ids="lam_{}".format)
    def test_equals_a_loop(self, lam):
        for seed in range(5):
            features, labelled, available, rng = pool(seed)
            probs = rng.dirichlet(np.full(K, 0.4), N).astype(np.float32)
            demand = np.array([6.0, 0.0, 2.5], np.float32)
            arrays = features.astype(float), labelled, available, 12, probs.astype(float), demand, lam
            picked, radius = oracles.farthest_first(*arrays)
            selection = diversity.k_center_balanced(probs, demand, lam, features, labelled, available, budget=12)
            np.testing.assert_array_equal(selection.indices, picked)
            np.testing.assert_allclose(selection.objective, radius, rtol=1e-3)

    def test_a_larger_lam_meets_the_demand(self):
        features, labelled, available, rng = pool(9)
        probs = np.eye(K, dtype=np.float32)[rng.choice(K, N, p=[0.8, 0.1, 0.1])]
        demand = np.full(K, 4.0, np.float32)
        short = []
        for lam in (0.0, 100.0):
            picks = diversity.k_center_balanced(probs, demand, lam, features, labelled, available, budget=12).indices
            short.append(np.abs(demand - probs[picks].sum(0)).sum())
        reachable = np.minimum(demand, probs[available].sum(0)).sum()
        assert short[1] == 2 * (12 - reachable) < short[0]


class TestBadge:
    """k-means++ over gradient embeddings that are never formed."""

    def test_distances_are_those_of_the_embeddings(self):
        """With two picks the objective gives the distance of every other row to the nearer of them."""
        for seed in range(5):
            features, _, available, rng = pool(seed)
            probs = rng.dirichlet(np.ones(K), N).astype(np.float32)
            embeddings = oracles.gradient_embeddings(probs.astype(float), features.astype(float))
            selection = diversity.badge(KEY, probs, features, available, budget=2)
            centres = embeddings[np.asarray(selection.indices)]
            squares = ((embeddings[available, None] - centres) ** 2).sum(-1).min(1)
            np.testing.assert_allclose(selection.objective, squares.sum(), rtol=1e-4)
            lengths = np.where(available, (embeddings**2).sum(1), -1)
            assert selection.indices[0] == lengths.argmax()

    def test_hand_computed_distance(self):
        probs, features = jnp.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]), jnp.array([[1.0, -2.0], [0.5, 1.0]])
        selection = diversity.badge(KEY, probs, features, jnp.ones(2, bool), budget=1)
        np.testing.assert_allclose(selection.objective, 0.595, rtol=1e-5)

    def test_second_pick_is_drawn_in_proportion_to_the_squared_distance(self):
        features, _, available, rng = pool(10)
        probs = rng.dirichlet(np.ones(K), N).astype(np.float32)
        embeddings = oracles.gradient_embeddings(probs.astype(float), features.astype(float))
        pick = jax.vmap(lambda key: diversity.badge(key, probs, features, available, budget=2).indices)
        picks = np.asarray(pick(jax.random.split(KEY, 20_000)))
        assert len(set(picks[:, 0])) == 1
        squares = np.where(available, ((embeddings - embeddings[picks[0, 0]]) ** 2).sum(1), 0.0)
        expected = squares / squares.sum()
        shares = np.bincount(picks[:, 1], minlength=N) / len(picks)
        deviation = np.sqrt(expected * (1 - expected) / len(picks))
        assert (np.abs(shares - expected) <= 5 * deviation + 1e-4).all()

    def test_no_row_twice_even_where_all_embeddings_are_zero(self):
        certain = np.tile(np.array([1.0, 0.0], np.float32), (9, 1))
        selection = diversity.badge(KEY, certain, np.ones((9, 2), np.float32), np.ones(9, bool), budget=9)
        assert sorted(selection.indices.tolist()) == list(range(9)) and selection.objective == 0

    def test_wide_embeddings_fit_in_memory(self):
        """20,000 rows, 100 classes, 512 features: the embeddings would take 4 GB."""
        shapes = [(20_000, 100), (20_000, 512)]
        probs, features = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
        available = jax.ShapeDtypeStruct((20_000,), bool)
        key = jax.eval_shape(lambda: jax.random.key(0))
        compiled = jax.jit(partial(diversity.badge, budget=100)).lower(key, probs, features, available).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 50e6


@pytest.mark.parametrize("budget", [0, -1])
def test_budget_must_be_positive(budget):
    features, labelled, available, _ = pool(0)
    with pytest.raises(ValueError, match=f"budget must be at least 1, got {budget}"):
        diversity.k_center(features, labelled, available, budget=budget)
    with pytest.raises(ValueError, match=f"budget must be at least 1, got {budget}"):
        diversity.badge(KEY, features[:, :3], features, available, budget=budget)
