"""small-text's class balancer, asked through its own interface, as strategies of the driver; README.md says how.

It shares a batch out among the predicted classes so that labels become even, and asks a strategy of its own for each
share. Its classifier is the last layer as it was fitted: a row of its data set is a row's number in the pool.
"""

from functools import partial

import jax
import numpy as np
from small_text.classifiers.classification import Classifier
from small_text.data.datasets import SklearnDataset
from small_text.query_strategies import BreakingTies, ClassBalancer, LeastConfidence, PredictionEntropy

from alfamous_jax import laplace


class LastLayer(Classifier):
    """Class probabilities of rows by their number."""

    def __init__(self, probs):
        self.probs, self.num_classes = probs, probs.shape[1]

    def fit(self, train_set, weights=None):
        return self

    def predict_proba(self, data_set):
        return self.probs[data_set.x[:, 0]]

    def predict(self, data_set, return_proba=False, multi_label_threshold=0.5):
        probs = self.predict_proba(data_set)
        return (probs.argmax(axis=1), probs) if return_proba else probs.argmax(axis=1)


def _ask(make, budget, seed, probs, labels, labelled, available):
    """On the host: the batch [budget] of a query strategy, -1 where fewer rows are left."""
    free, known = np.flatnonzero(available), np.flatnonzero(labelled)
    every = np.arange(len(probs))
    rows = SklearnDataset(every[:, None], np.zeros(len(probs), int), np.arange(probs.shape[1]))
    picked, wanted = np.full(budget, -1, np.int32), min(budget, len(free))
    before = np.random.get_state()  # noqa: NPY002  it draws from NumPy's own stream, which is left as it was
    np.random.seed(int(seed) % 2**32)  # noqa: NPY002
    try:
        picked[:wanted] = make().query(
            LastLayer(np.asarray(probs)), rows, free, known, np.asarray(labels)[known], n=wanted
        )
    finally:
        np.random.set_state(before)  # noqa: NPY002
    return picked


def _strategy(make):
    def select(key, view, lam, budget):
        probs = laplace.mean_field(*laplace.predict(view.posterior, view.phi))
        arrays = jax.random.bits(key), probs, view.labels, view.labelled, view.available
        indices = jax.ShapeDtypeStruct((budget,), "int32")
        return jax.pure_callback(partial(_ask, make, budget), indices, *arrays, vmap_method="sequential")

    return select


breaking_ties = _strategy(BreakingTies)
breaking_ties_balanced = _strategy(lambda: ClassBalancer(BreakingTies()))
least_confidence_balanced = _strategy(lambda: ClassBalancer(LeastConfidence()))
entropy_balanced = _strategy(lambda: ClassBalancer(PredictionEntropy()))
