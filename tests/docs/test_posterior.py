"""How far the shared covariance is from the full Gauss-Newton posterior: the table of the guide, measured again."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from documents import DOCS, read
from scipy.stats import spearmanr

from alfamous_jax import datasets, laplace, map_head, random_features

pytestmark = pytest.mark.slow
POOL = 400  # rows whose variances are compared
LABELS = (32, 352, 672)


def full_variance(head, phi, pool):
    """Variances [n, K] of the logits of pool rows under ridge I + sum (diag p - p p') kron phi phi', in float64."""
    (num_classes, width), logits = head.shape, phi @ head.T
    p = np.asarray(jax.nn.softmax(logits), np.float64)
    hessians = np.einsum("nk,kl->nkl", p, np.eye(num_classes)) - np.einsum("nk,nl->nkl", p, p)
    precision = np.einsum("nkl,nd,ne->kdle", hessians, phi, phi, optimize=True).reshape(num_classes * width, -1)
    cov = np.linalg.inv(precision + np.eye(len(precision))).reshape(num_classes, width, num_classes, width)
    return np.stack([np.einsum("nd,de,ne->n", pool, cov[k, :, k, :], pool) for k in range(num_classes)], axis=1)


def measured(phi, labels, num):
    """Shared over full variance, of the predicted class and of all classes, and the rank correlation of the former."""
    mask = jnp.arange(len(phi)) < num
    head, _ = map_head.fit(phi, labels, mask, 26, 1.0)
    _, shared = laplace.predict(laplace.fit(head, phi, mask), phi[num : num + POOL])
    shared, exact, head = (np.asarray(x, np.float64) for x in (shared, phi, head))
    pool = exact[num : num + POOL]
    full = full_variance(head, exact[:num], pool)
    own = full[np.arange(POOL), np.argmax(pool @ head.T, axis=1)]
    assert np.all(shared < 1.001 * own)
    return np.mean(shared / own), np.mean(shared) / np.mean(full), spearmanr(shared, own)[0]


def features():
    """LETTER's attributes under 64 random features of length 1, and the attributes themselves beside a one."""
    letter = datasets.load("letter", 26, 5000)
    rows = np.random.default_rng(0).permutation(15_000)[:2000]
    x = datasets.standardize(letter)[0][rows]
    draws = random_features.init(jax.random.key(0), 16, 64)
    yield random_features.apply(draws, jnp.asarray(x), 8.0), jnp.asarray(letter.y_train[rows])
    yield jnp.asarray(np.concatenate([x, np.ones((2000, 1), np.float32)], axis=1)), jnp.asarray(letter.y_train[rows])


def test_the_table_of_the_guide():
    table = read(DOCS / "guide" / "cycle.md").split("rank correlation |\n")[1].split("\n\n")[0]
    told = np.array([re.findall(r"\| (\.\d+)", row) for row in table.splitlines()[1:]], float)
    found = np.array([measured(*arrays, num) for arrays in features() for num in LABELS])
    np.testing.assert_allclose(told, found, atol=0.02, err_msg=str(found))
