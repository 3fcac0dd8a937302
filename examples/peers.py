"""Strategies of scikit-activeml, asked through its own interface, as strategies of the driver; README.md says how.

Pools, first labels, heads and scores are then those of every other strategy. What rests on a classifier is given the
last layer as it was fitted and its features; what covers the pool, the rows as they are scaled. Settings are their own.
"""

from functools import partial

import jax
import numpy as np
from skactiveml import pool
from skactiveml.base import SkactivemlClassifier

UNKNOWN = -1  # the label of a row without one


class LastLayer(SkactivemlClassifier):
    """Class probabilities of a last layer that is fitted elsewhere."""

    def __init__(self, mean=None, cov=None, classes=None, missing_label=UNKNOWN, cost_matrix=None, random_state=None):
        super().__init__(classes, missing_label, cost_matrix, random_state)
        self.mean, self.cov = mean, cov

    def fit(self, X, y, sample_weight=None):
        return self

    def predict_proba(self, X):
        variance = np.sum((X @ self.cov) * X, axis=1, keepdims=True)
        logits = X @ self.mean.T / np.sqrt(1 + np.pi / 8 * variance)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


def _ask(make, by_classifier, budget, seed, rows, labels, available, mean, cov):
    """On the host: the batch [budget] of a query strategy, -1 where fewer rows are left."""
    candidates = np.flatnonzero(available)
    query = partial(make(missing_label=UNKNOWN, random_state=int(seed) % 2**31).query, np.asarray(rows, np.float64))
    settings = {"candidates": candidates, "batch_size": min(budget, len(candidates))}
    if by_classifier:
        settings |= {"clf": LastLayer(np.asarray(mean), np.asarray(cov), np.arange(len(mean))), "fit_clf": False}
    picked = np.full(budget, -1, np.int32)
    picked[: settings["batch_size"]] = query(np.asarray(labels), **settings)
    return picked


def _strategy(make, by_classifier=False):
    def select(key, view, lam, budget):
        rows = view.phi if by_classifier else view.inputs[view.rows]
        labels = jax.numpy.where(view.labelled, view.labels, UNKNOWN)
        arrays = jax.random.bits(key), rows, labels, view.available, view.posterior.mean, view.posterior.cov
        indices = jax.ShapeDtypeStruct((budget,), "int32")
        ask = partial(_ask, make, by_classifier, budget)
        return jax.pure_callback(ask, indices, *arrays, vmap_method="sequential")

    return select


def _drop_query(random_state, **settings):  # of itself it draws the clusters anew in every call
    return pool.DropQuery(cluster_algo_dict={"random_state": random_state}, random_state=random_state, **settings)


least_confident = _strategy(partial(pool.UncertaintySampling, method="least_confident"), by_classifier=True)
margin = _strategy(partial(pool.UncertaintySampling, method="margin_sampling"), by_classifier=True)
badge = _strategy(pool.Badge, by_classifier=True)
drop_query = _strategy(_drop_query, by_classifier=True)
falcun = _strategy(pool.Falcun, by_classifier=True)
core_set = _strategy(pool.CoreSet)
typi_clust = _strategy(pool.TypiClust)
prob_cover = _strategy(pool.ProbCover)
max_herding = _strategy(pool.MaxHerding)
