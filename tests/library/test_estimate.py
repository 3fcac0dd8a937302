"""Estimates from rows drawn on purpose: unbiased by enumeration, honest intervals by simulation, hand-made edges."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from alfamous_jax import estimate


def orders(weight, num):
    """Every order of `num` rows drawn in proportion to a weight: rows, and log q of each draw."""
    for rows in itertools.permutations(np.flatnonzero(weight), num):
        left = np.array([weight.sum() - weight[list(rows[:m])].sum() for m in range(num)])
        yield rows, np.log(weight[list(rows)] / left)


def test_the_confusion_matrix_is_unbiased_over_all_orders():
    labels, taken, weight = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), np.array([3.0, 1.0, 0.5, 2.0, 0.2])
    rows, log_prob = (np.array(x) for x in zip(*orders(weight, 3), strict=True))
    evaluate = jax.vmap(partial(estimate.evaluate, num_rows=5, num_classes=3))
    found = np.asarray(evaluate(jnp.asarray(labels[rows]), jnp.asarray(taken[rows]), jnp.asarray(log_prob)).confusion)
    chance = np.exp(log_prob.sum(axis=1))
    np.testing.assert_allclose(chance.sum(), 1.0)
    wanted = confusion_matrix(labels, taken) / 5
    np.testing.assert_allclose(np.tensordot(chance, found, 1), wanted, atol=1e-5)


def test_draws_follow_their_probabilities():
    """All orders of two of four, counted."""
    score, available = jnp.array([0.0, 1.0, 3.0, 9.0, 2.0]), jnp.array([True, True, True, False, True])
    draw = jax.jit(jax.vmap(lambda key: estimate.draw(key, score, available, num=2, floor=0.5)))
    rows, log_prob = (np.asarray(x) for x in draw(jax.random.split(jax.random.key(0), 20_000)))
    weight = np.array([0.0, 1.0, 3.0, 0.0, 2.0]) + 0.5 * 1.5 * np.asarray(available)
    for (first, second), wanted in orders(weight, 2):
        found = (rows == (first, second)).all(axis=1)
        np.testing.assert_allclose(log_prob[found], np.tile(wanted, (found.sum(), 1)), atol=1e-5)
        chance = np.exp(wanted.sum())
        assert abs(found.mean() - chance) < 4 * np.sqrt(chance / 20_000)


def test_all_rows_give_the_truth_and_uniform_draws_the_plain_mean():
    rng = np.random.default_rng(2)
    labels, taken = rng.integers(0, 3, (2, 12))
    rows, log_prob = estimate.draw(jax.random.key(1), jnp.asarray(rng.uniform(size=12)), jnp.ones(12, bool), num=12)
    found = estimate.evaluate(labels[rows], taken[rows], log_prob, 12, 3)
    np.testing.assert_allclose(found.confusion, confusion_matrix(labels, taken) / 12, atol=1e-6)
    np.testing.assert_allclose(found.recall.value, recall_score(labels, taken, average=None), atol=1e-6)
    np.testing.assert_allclose(found.macro_f1, [f1_score(labels, taken, average="macro")] * 3, atol=1e-5)
    np.testing.assert_allclose(found.accuracy, [np.mean(labels == taken)] * 3, atol=1e-3)
    uniform = -jnp.log(20.0 - jnp.arange(12))
    np.testing.assert_allclose(estimate.lure(uniform, 20), 1.0, atol=1e-5)


def test_padding_and_rows_without_a_label_change_nothing_or_the_whole():
    labels, taken = np.array([0, 1, 1, 0, -1]), np.array([0, 1, 0, 0, 1])
    log_prob = -jnp.log(10.0 - jnp.arange(5))
    short = estimate.evaluate(labels[:4], taken[:4], log_prob[:4], 10, 2)
    padded = estimate.evaluate(labels, taken, log_prob, 10, 2, 4)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), short, padded)
    skipped = estimate.evaluate(labels, taken, log_prob, 10, 2)
    np.testing.assert_allclose(skipped.accuracy.value, 0.75, rtol=1e-6)  # of the rows that have a class
    np.testing.assert_allclose(np.sum(skipped.confusion), 0.8, rtol=1e-5)


def test_a_class_that_was_not_drawn_has_no_recall():
    found = estimate.evaluate(np.array([0, 0]), np.array([0, 2]), -jnp.log(jnp.array([10.0, 9.0])), 10, 3)
    assert np.isnan(found.recall.value).tolist() == [False, True, True]
    np.testing.assert_allclose(found.macro_f1.value, (2 / 3 + 0) / 2, rtol=1e-5)


def test_the_pool_runs_out():
    rows, log_prob = estimate.draw(jax.random.key(0), jnp.zeros(3), jnp.array([True, False, True]), num=5)
    assert sorted(rows.tolist()) == [-1, -1, -1, 0, 2] and log_prob[2:].tolist() == [0.0] * 3
    np.testing.assert_allclose(jnp.exp(log_prob[:2]), [0.5, 1.0], rtol=1e-6)


def test_more_draws_than_rows_are_refused():
    with pytest.raises(ValueError, match="num_rows must be at least the 3 draws, got 2"):
        estimate.lure(jnp.zeros(3), 2)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """400 draws of 120 of 600 rows with one class in ten rare, by how unsure a made-up classifier is."""
    rng = np.random.default_rng(4)
    labels = rng.choice(3, 600, p=(0.6, 0.3, 0.1))
    unsure = rng.uniform(size=600)
    taken = np.where(rng.uniform(size=600) < 0.5 * unsure, rng.integers(0, 3, 600), labels)

    @jax.jit
    @jax.vmap
    def simulate(key):
        rows, log_prob = estimate.draw(key, jnp.asarray(unsure), jnp.ones(600, bool), num=120)
        return estimate.evaluate(jnp.asarray(labels)[rows], jnp.asarray(taken)[rows], log_prob, 600, 3)

    found = simulate(jax.random.split(jax.random.key(0), 400))
    truths = (
        (found.accuracy, np.mean(labels == taken)),
        (found.recall, recall_score(labels, taken, average=None)),
        (found.macro_f1, f1_score(labels, taken, average="macro")),
    )
    for interval, truth in truths:
        holds = (np.asarray(interval.low) <= truth) & (truth <= np.asarray(interval.high))
        assert np.all(np.abs(holds.mean(axis=0) - 0.95) < 0.05), holds.mean(axis=0)
        assert np.all(np.abs(np.asarray(interval.value).mean(axis=0) - truth) < 0.01)
