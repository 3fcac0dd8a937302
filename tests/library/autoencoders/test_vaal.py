"""The autoencoder, VAAL's losses against float64, and what its adversaries learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.autoencoders import vaal, vae

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def sigmoid_entropy(logits, truth):
    probs = 1 / (1 + np.exp(-logits))
    return -(truth * np.log(probs) + (1 - truth) * np.log(1 - probs)).mean()


class TestAutoencoder:
    """Shapes, the reparameterisation and the KL."""

    @pytest.mark.parametrize("shape", [(7,), (9, 10), (8, 6, 3)], ids=["table", "grey", "colour"])
    def test_reconstructions_have_the_shape_of_the_rows(self, shape):
        x = RNG.normal(size=(2, *shape)).astype(np.float32)
        model = vae.build(shape, latent=5)
        noise = RNG.normal(size=(2, 5)).astype(np.float32)
        variables = model.init(KEY, x, noise)
        decoded, code = model.apply(variables, x, noise)
        assert decoded.shape == x.shape and code.mean.shape == code.log_variance.shape == (2, 5)
        alone = model.apply(variables, x[:1], method="encode")
        np.testing.assert_allclose(alone.mean, code.mean[:1], atol=1e-5)

    def test_kl_is_that_of_the_definition(self):
        """E log q - log p by Gauss-Hermite, latent by latent."""
        mean, log_variance = RNG.normal(size=(2, 4, 3))
        nodes, weights = np.polynomial.hermite_e.hermegauss(30)
        z = mean + np.exp(log_variance / 2) * nodes[:, None, None]
        log_ratio = -log_variance / 2 - (z - mean) ** 2 / (2 * np.exp(log_variance)) + z**2 / 2
        expected = np.tensordot(weights / weights.sum(), log_ratio, 1).sum(-1)
        code = vae.Encoding(*(jnp.asarray(part, jnp.float32) for part in (mean, log_variance)))
        np.testing.assert_allclose(vae.kl_divergence(code), expected, rtol=1e-5)

    def test_draws_have_the_moments_of_the_code(self):
        code = vae.Encoding(jnp.array([[1.0, -2.0]]), jnp.log(jnp.array([[4.0, 0.25]])))
        z = vae.reparameterise(code, jax.random.normal(KEY, (200_000, 1, 2)))
        np.testing.assert_allclose(z.mean(0), [[1.0, -2.0]], atol=0.03)
        np.testing.assert_allclose(z.std(0), [[2.0, 0.5]], rtol=0.02)


def test_losses_by_their_formulas():
    x, decoded = RNG.normal(size=(2, 5, 3, 2))
    mean, log_variance = RNG.normal(size=(2, 5, 4))
    logits, others = RNG.normal(size=(2, 5))
    code = vae.Encoding(jnp.float32(mean), jnp.float32(log_variance))
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum()
    expected = ((x - decoded) ** 2).sum() / 30 + 0.5 * kl + 2.0 * sigmoid_entropy(logits, 1)
    got = vaal.autoencoder_loss(jnp.float32(x), jnp.float32(decoded), code, jnp.float32(logits), 0.5, 2.0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    expected = sigmoid_entropy(logits, 1) + sigmoid_entropy(others, 0)
    np.testing.assert_allclose(vaal.discriminator_loss(jnp.float32(logits), jnp.float32(others)), expected, rtol=1e-5)


MODEL = vae.build((4,), latent=3)


def clusters(num=400):
    """Two clouds far apart; a quarter of the first is labelled."""
    first = np.arange(num) < num // 2
    x = RNG.normal(size=(num, 4)) + np.where(first, 3.0, -3.0)[:, None]
    labelled = first & (RNG.random(num) < 0.5)
    return x.astype(np.float32), labelled, ~labelled


def fit(x, labelled, available, key=KEY, **settings):
    settings = {"num_steps": 200, "batch_size": 32, "beta": 1e-3, "adversary": 0.0, **settings}
    return vaal.fit(key, x, jnp.arange(len(x)), labelled, available, model=MODEL, **settings)


def test_rows_unlike_the_labelled_come_first():
    """Without deception the discriminator is a classifier of what is labelled."""
    x, labelled, available = clusters()
    models, info = fit(x, labelled, available)
    scores = np.asarray(vaal.utility(models, x, jnp.arange(400), model=MODEL))
    assert (scores >= -1).all() and (scores <= 0).all()
    assert scores[200:].min() > scores[:200][available[:200]].max()
    assert info.discriminator_loss[-1] < 0.6 * info.discriminator_loss[0]
    assert info.vae_loss[-20:].mean() < 0.3 * info.vae_loss[0]


def test_deception_hides_what_is_labelled():
    """The stronger the adversary, the closer the discriminator is to a coin's 2 log 2."""
    x, labelled, available = clusters()
    losses = [fit(x, labelled, available, adversary=weight)[1].discriminator_loss[-50:].mean() for weight in (0.0, 5.0)]
    assert losses[0] < losses[1]


def test_first_step_of_the_discriminator_is_adams():
    """After one step a parameter with a gradient has moved by the learning rate, or less where that is tiny."""
    x, labelled, available = clusters()
    models, _ = fit(x, labelled, available, num_steps=1)
    start = vaal.Discriminator().init(jax.random.split(KEY, 3)[1], jnp.zeros((1, 3)))
    moved = np.concatenate(
        [np.ravel(a - b) for a, b in zip(jax.tree.leaves(models.discriminator), jax.tree.leaves(start), strict=True)]
    )
    touched = np.abs(moved) > 0
    assert touched.mean() > 0.2
    np.testing.assert_allclose(np.median(np.abs(moved[touched])), vaal.LEARNING_RATE, rtol=1e-3)
    assert np.abs(moved).max() <= vaal.LEARNING_RATE * (1 + 1e-3)


def test_only_finite_rows_of_the_right_kind_are_drawn():
    """NaN in rows that may not be drawn does no harm, and what they hold changes nothing."""
    x, labelled, available = clusters()
    available = available & (np.arange(400) % 5 != 0)
    spoilt = x.copy()
    spoilt[~labelled & ~available] = np.nan
    spoilt[np.flatnonzero(available)[3]] = np.inf
    fewer = available & (np.arange(400) != np.flatnonzero(available)[3])
    models, info = fit(spoilt, labelled, available, num_steps=5)
    expected, _ = fit(x, labelled, fewer, num_steps=5)
    assert np.isfinite(info.vae_loss).all()
    jax.tree.map(np.testing.assert_array_equal, models, expected)


def test_rows_of_the_pool_are_looked_up():
    x, labelled, available = clusters()
    order = RNG.permutation(400)
    moved = np.empty_like(x)
    moved[order] = x
    models, _ = fit(x, labelled, available, num_steps=5)
    settings = {"model": MODEL, "num_steps": 5, "batch_size": 32, "beta": 1e-3, "adversary": 0.0}
    looked_up, _ = vaal.fit(KEY, moved, order, labelled, available, **settings)
    jax.tree.map(np.testing.assert_array_equal, looked_up, models)
    everything = np.full((600, 4), np.nan, np.float32)
    everything[order] = x
    scores = [vaal.utility(models, *arrays, model=MODEL) for arrays in ((x, jnp.arange(400)), (everything, order))]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
