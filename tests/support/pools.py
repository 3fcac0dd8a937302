"""A small imbalanced pool for the tests of the acquisition cycle."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracles

from alfamous_jax import laplace

N, K, D = 40, 3, 6
KEY = jax.random.key(0)
UTILITIES = ["random", "least_confidence", "margin", "entropy", "bald"]


class Problem(NamedTuple):
    """The array arguments of `run`, in order."""

    posterior: laplace.Posterior
    phi: np.ndarray
    labels: np.ndarray
    available: np.ndarray
    counts: np.ndarray


def problem(seed=0, dtype=np.float32):
    """A pool with a rare class, 30 of 40 rows available, and the posterior of 12 labels."""
    rng = np.random.default_rng(seed)
    counts = np.array([7, 4, 1])
    centres = rng.normal(size=(K, D))
    labels = rng.choice(K, N, p=[0.6, 0.3, 0.1])
    phi = 0.6 * centres[labels] + rng.normal(size=(N, D))
    mean = 0.5 * centres + 0.3 * rng.normal(size=(K, D))
    cov = oracles.laplace_cov(mean, rng.normal(size=(12, D)), 1.0)
    available = rng.permutation(np.arange(N) < 30)
    posterior = laplace.Posterior(jnp.asarray(mean, dtype), jnp.asarray(cov, dtype))
    return Problem(posterior, phi.astype(dtype), labels, available, counts)


def assert_trees_close(got, expected, atol=1e-5):
    """Compares two pytrees leaf by leaf."""
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)
