"""What a strategy may look at when it picks."""

from typing import NamedTuple

import jax

from alfamous_jax.laplace import Posterior


class View(NamedTuple):
    """The rows of a pool that may be asked for, and those labelled before; N rows, K classes, D features.

    The three fields that may be None are there for the methods that name them in `needs`.
    """

    posterior: Posterior  # of the last layer; of zero covariance under an SVM and without config.posterior
    phi: jax.Array  # [N, D], what the last layer sees
    labels: jax.Array  # [N], the oracle's answers, revealed as rows are picked
    available: jax.Array  # [N]
    labelled: jax.Array  # [N]
    counts: jax.Array  # [K], labels known of each class
    features: jax.Array | None  # [N, H], of the penultimate layer
    stages: tuple[jax.Array, ...] | None  # each [N, width], the last NUM_STAGES of the backbone
    prob_samples: jax.Array | None  # [S, N, K], under dropout masks
    inputs: jax.Array  # [M, ...], of the training set
    rows: jax.Array  # [N], of the training set


OPTIONAL = ("features", "stages", "prob_samples")
NUM_STAGES = 4
