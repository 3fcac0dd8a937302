"""k-means against a loop in float64, the law of its seeds, and the radius that clusters choose against all pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import clusters, coverage
from alfamous_jax.selection import _sphere

N, MOST = 90, 8
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def rows():
    """Three groups of directions, and rows that do not count: two by the mask, two by what they hold."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, 4))[np.arange(N) % 3] * 3 + rng.normal(size=(N, 4))
    features[4], features[40, 1] = np.nan, np.inf
    return features.astype(np.float32), np.arange(N) >= 2


def unit(features):
    return features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)


@pytest.mark.parametrize("number", [1, 3, 7])
def test_each_row_is_with_the_nearest_mean(rows, number):
    features, counted = rows
    found = clusters.k_means(KEY, features, counted, number, most=MOST)
    good = counted & np.isfinite(features).all(axis=1)
    labels, points = np.asarray(found.labels), unit(features[good])
    assert (labels[~good] == -1).all() and set(labels[good]) == set(range(number))
    means = np.stack([points[labels[good] == k].mean(axis=0) for k in range(number)])
    np.testing.assert_allclose(found.centres[:number], means, atol=1e-5)
    assert (found.centres[number:] == 0).all()
    squares = ((points[:, None] - means) ** 2).sum(axis=2)
    np.testing.assert_array_equal(squares.argmin(axis=1), labels[good])


def test_one_step_is_that_of_a_loop(rows):
    """From the rows that are the first centres."""
    features, counted = rows
    good = counted & np.isfinite(features).all(axis=1)
    points = unit(np.where(good[:, None], features, 1.0))
    places = np.asarray(_sphere.spread(KEY, jnp.asarray(points, jnp.float32), jnp.asarray(good), 5, MOST))
    assert len(set(places[:5].tolist())) == 5 and good[places[:5]].all() and (places[5:] == 0).all()
    labels = ((points[good][:, None] - points[places[:5]]) ** 2).sum(axis=2).argmin(axis=1)
    means = np.stack([points[good][labels == k].mean(axis=0) for k in range(5)])
    moved = clusters.k_means(KEY, features, counted, 5, most=MOST, steps=1)
    np.testing.assert_allclose(moved.centres[:5], means, atol=1e-5)
    labels = ((points[good][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(moved.labels[good], labels)


def test_a_centre_is_drawn_by_its_squared_distance():
    """Of three rows at 0, 60 and 180 degrees; the first is any of them."""
    angles = np.array([0.0, np.pi / 3, np.pi])
    rows = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), jnp.float32)
    draw = jax.jit(jax.vmap(lambda key: _sphere.spread(key, rows, jnp.ones(3, bool), 2, 2)))
    drawn, shares = np.asarray(draw(jax.random.split(KEY, 4000))), np.zeros((3, 3))
    np.add.at(shares, (drawn[:, 0], drawn[:, 1]), 1 / 4000)
    squares = 2 - 2 * np.cos(angles[:, None] - angles)
    np.testing.assert_allclose(shares, squares / squares.sum(axis=1, keepdims=True) / 3, atol=5 * np.sqrt(0.25 / 4000))


def test_fewer_rows_than_clusters_and_rows_that_coincide(rows):
    features, _ = rows
    few = np.arange(N) < 3
    found = clusters.k_means(KEY, features, few, 7, most=MOST)
    assert sorted(np.asarray(found.labels)[:3].tolist()) == [0, 1, 2] and (found.labels[3:] == -1).all()
    same = clusters.k_means(KEY, np.ones((N, 4), np.float32), np.ones(N, bool), 7, most=MOST)
    assert (same.labels == 0).all()
    nothing = clusters.k_means(KEY, features, np.zeros(N, bool), 7, most=MOST)
    assert (nothing.labels == -1).all() and jnp.isfinite(nothing.centres).all()


def test_one_program_for_all_numbers(rows):
    clusters.k_means(KEY, *rows, 2, most=MOST)
    before = clusters._k_means._cache_size()
    for number in (3, 8):
        clusters.k_means(KEY, *rows, number, most=MOST)
    assert clusters._k_means._cache_size() == before


def test_impossible_numbers_are_refused(rows):
    for number, most in ((0, 8), (9, 8), (1, 0)):
        with pytest.raises(ValueError, match=f"num_clusters must be from 1 to most, got {number} and {most}"):
            clusters.k_means(KEY, *rows, number, most=most)


@pytest.mark.parametrize("purity", [1.0, 0.95, 0.5])
def test_the_radius_is_the_largest_of_that_purity(rows, purity):
    """By all pairs: as many balls are pure, and at the next distance too few."""
    features, counted = rows
    labels = np.arange(N) % 3
    good = counted & np.isfinite(features).all(axis=1)
    points = unit(features[good])
    distances = np.sqrt(np.maximum(2 - 2 * points @ points.T, 0))
    other = labels[good][:, None] != labels[good]

    def pure(radius):
        return 1 - ((distances < radius) & other).any(axis=1).mean()

    radius = float(coverage.pure_radius(features, labels, counted, purity))
    assert pure(radius - 1e-4) >= purity > pure(radius + 1e-4)
    assert coverage.pure_radius(features, np.zeros(N, int), counted) == 2.0
