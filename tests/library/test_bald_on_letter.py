"""BALD in closed form on a real pool: the model that the LETTER experiment trains, against 10,000 draws."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import spearmanr

from alfamous_jax import acquisition, cycle, datasets, laplace
from alfamous_jax.networks import train
from alfamous_jax.networks.mlp import ResidualMLP
from alfamous_jax.networks.sngp import SNGP, head_mean

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

ROWS, CLASSES = 1500, 26


@pytest.fixture(scope="module")
def pool():
    """Logits and variances of 1,500 rows after 352 labels, and again after 20 updates of the last layer."""
    letter = datasets.load("letter", CLASSES)
    inputs, labels = datasets.standardize(letter)[0], letter.y_train
    known, rows = np.arange(352), np.arange(352, 352 + ROWS)
    model = SNGP(ResidualMLP(), CLASSES, kernel_scale=8.0)
    variables, _ = train.fit(
        jax.random.key(0),
        model.init(jax.random.key(1), inputs[:1]),
        inputs,
        labels,
        jnp.asarray(known),
        jnp.int32(352),
        model=model,
        optimizer=train.direction("sgd", weight_decay=1e-3),
        schedule=optax.cosine_decay_schedule(0.05, 100),
        epochs=100,
        batch_size=16,
    )
    phi = model.apply(variables, inputs[: 352 + ROWS]).phi
    posterior = laplace.fit(head_mean(variables), phi[known], jnp.ones(352, bool))
    counts = jnp.bincount(labels[known], length=CLASSES)
    before = cycle.init(posterior, phi[rows], jnp.ones(ROWS, bool), counts)
    after, _ = cycle.acquire(jax.random.key(2), before, phi[rows], jnp.asarray(labels[rows]), lam=0.1, budget=20)
    return {"before": before, "after": after}


@pytest.mark.parametrize("when", ["before", "after"])
def test_ranks_the_top_tenth_as_draws_do(pool, when):
    state = pool[when]
    sampled = jax.jit(acquisition.bald_sampled, static_argnums=3)
    reference = np.asarray(sampled(jax.random.key(3), state.logits, state.variance, 10_000))
    score = np.asarray(acquisition.bald_gaussian(state.logits, state.variance))
    top = np.argsort(-reference)[: ROWS // 10]
    assert spearmanr(score[top], reference[top])[0] > 0.99
    assert np.abs(score - reference).max() < 0.01 < reference.max() / 20
    few = np.asarray(sampled(jax.random.key(4), state.logits, state.variance, 100))
    assert spearmanr(few[top], reference[top])[0] < spearmanr(score[top], reference[top])[0]
