"""The blocks of latents that stand for classes, and the loss, against loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stage_vae_loops import MEASURES, RNG, K

from alfamous_jax.autoencoders import stage_vae, vae
from alfamous_jax.autoencoders.stage_vae import BLOCK

pytestmark = pytest.mark.slow


class TestLatents:
    """Blocks of classes."""

    @pytest.mark.parametrize("constraint", MEASURES)
    def test_presence(self, constraint):
        z = RNG.normal(size=(4, K * BLOCK))
        expected = [[MEASURES[constraint](row[BLOCK * n : BLOCK * (n + 1)]).sum() for n in range(K)] for row in z]
        got = stage_vae.presence(jnp.asarray(z, jnp.float32), K, constraint)
        np.testing.assert_allclose(got, expected, rtol=1e-5)

    def test_without_a_class(self):
        z = np.arange(1.0, 1 + 2 * K * BLOCK).reshape(2, -1)
        got = np.asarray(stage_vae.without(jnp.asarray(z), jnp.array([2, 0]), K))
        assert (got[0, 2 * BLOCK :] == 0).all() and (got[1, :BLOCK] == 0).all()
        np.testing.assert_array_equal(got[0, : 2 * BLOCK], z[0, : 2 * BLOCK])
        np.testing.assert_array_equal(got[1, BLOCK:], z[1, BLOCK:])

    def test_loss(self):
        x, decoded = RNG.normal(size=(2, 5, 8))
        mean, log_variance, z = RNG.normal(size=(3, 5, K * BLOCK))
        predicted = np.array([0, 2, 1, 1, 0])
        total = 0.0
        for i in range(5):
            w = np.array([(z[i, BLOCK * n : BLOCK * (n + 1)] ** 2).sum() for n in range(K)])
            cross_entropy = w[predicted[i]] + np.log(np.exp(-w).sum())
            kl = np.mean((mean[i] ** 2 + np.exp(log_variance[i]) - 1 - log_variance[i]) / 2)
            total += np.mean((decoded[i] - x[i]) ** 2) + 0.5 * kl + 0.005 * cross_entropy
        arrays = (jnp.asarray(part, jnp.float32) for part in (mean, log_variance))
        w = stage_vae.presence(jnp.asarray(z, jnp.float32), K, "square")
        got = stage_vae.loss(jnp.float32(x), jnp.float32(decoded), vae.Encoding(*arrays), w, predicted, 0.005, 0.5)
        np.testing.assert_allclose(got, total / 5, rtol=1e-5)

    def test_nothing_is_learned_through_the_target(self):
        """Else a constant embedding would be the best."""
        code = vae.Encoding(jnp.zeros((1, K * BLOCK)), jnp.zeros((1, K * BLOCK)))
        gradient = jax.grad(stage_vae.loss)(
            jnp.ones((1, 4)), jnp.zeros((1, 4)), code, jnp.zeros((1, K)), jnp.array([0]), 1.0, 1.0
        )
        np.testing.assert_array_equal(gradient, 0.0)
