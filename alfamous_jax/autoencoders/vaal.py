"""Variational adversarial active learning, VAAL (Sinha et al., 2019)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from alfamous_jax.autoencoders import vae
from alfamous_jax.networks.train import in_chunks

LEARNING_RATE = 5e-4
VAE_STEPS = 2  # for each of the discriminator, as in the authors' code


class Models(NamedTuple):
    """The two networks."""

    vae: Any
    discriminator: Any


class VaalInfo(NamedTuple):
    """What happened in training, step by step."""

    vae_loss: jax.Array  # [steps]
    discriminator_loss: jax.Array  # [steps]


class Discriminator(nn.Module):
    """Latent mean [N, latent] -> logit [N] that the row is labelled."""

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Two layers of 512."""
        for _ in range(2):
            z = nn.relu(nn.Dense(512)(z))
        return nn.Dense(1)(z)[:, 0]


def autoencoder_loss(
    x: jax.Array, decoded: jax.Array, code: vae.Encoding, logits: jax.Array, beta: float, adversary: float
) -> jax.Array:
    """What the autoencoder lowers on a batch: squared error, KL and how surely it is not taken for labelled.

    Args:
      x, decoded: [n, ...]; their squared error is averaged over all entries.
      code: latent Gaussians; their KL is summed over rows and latents, as in the authors' code.
      logits: of the discriminator [n]; averaged over rows.
      beta: weight of the KL.
      adversary: weight of the deception.

    Returns:
      loss [].
    """
    deceived = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, 1.0))
    return jnp.mean((decoded - x) ** 2) + beta * jnp.sum(vae.kl_divergence(code)) + adversary * deceived


def discriminator_loss(labelled: jax.Array, available: jax.Array) -> jax.Array:
    """What the discriminator lowers: the mean cross-entropies of its logits [n] on labelled and on available rows."""
    errors = optax.sigmoid_binary_cross_entropy
    return jnp.mean(errors(labelled, 1.0)) + jnp.mean(errors(available, 0.0))


@partial(jax.jit, static_argnames=("model", "num_steps", "batch_size"))
def fit(
    key: jax.Array,
    inputs: jax.Array,
    rows: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    model: vae.VAE,
    num_steps: int,
    batch_size: int = 128,
    beta: float = 1.0,
    adversary: float = 1.0,
) -> tuple[Models, VaalInfo]:
    """Trains autoencoder and discriminator against each other, on as many labelled as available rows.

    Args:
      key: consumed.
      inputs: [M, ...].
      rows: those of the pool [N].
      labelled, available: [N]; rows with a NaN or an infinity are never drawn.
      model: of `vae.build`, static.
      num_steps: of the discriminator, with `VAE_STEPS` of the autoencoder each; static.
      batch_size: rows of each kind, drawn with replacement; static.
      beta, adversary: see `autoencoder_loss`.

    Returns:
      the parameters of both, and the losses. With no labelled or no available row it learns from row 0 in its place.
    """
    chex.assert_equal_shape([rows, labelled, available])
    chex.assert_rank(rows, 1)
    finite = _is_finite(inputs, rows)
    draw_labelled, draw_available = (_sampler(rows, kind & finite) for kind in (labelled, available))
    vae_key, discriminator_key, key = jax.random.split(key, 3)
    noise = jnp.zeros((1, model.latent), inputs.dtype)
    start = Models(
        model.init(vae_key, inputs[:1], noise),
        Discriminator().init(discriminator_key, noise),
    )
    optimizer = optax.adam(LEARNING_RATE)

    def deceive(
        parameters: Any, models: Models, key: jax.Array, batches: tuple[jax.Array, jax.Array]
    ) -> jax.Array | float:
        loss: jax.Array | float = 0.0
        for noise_key, x in zip(jax.random.split(key), batches, strict=True):
            noise = jax.random.normal(noise_key, (len(x), model.latent), x.dtype)
            outputs: Any = model.apply(parameters, x, noise)
            decoded, code = outputs
            loss += autoencoder_loss(x, decoded, code, _judge(models, code), beta, adversary)
        return loss

    def tell_apart(parameters: Any, models: Models, batches: tuple[jax.Array, jax.Array]) -> jax.Array:
        models = models._replace(discriminator=parameters)
        return discriminator_loss(*(_judge(models, _encode(model, models, x)) for x in batches))

    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key)
        return inputs[draw_labelled(keys[0], batch_size)], inputs[draw_available(keys[1], batch_size)]

    def step(carry: tuple[Models, Models], key: jax.Array) -> tuple[tuple[Models, Models], tuple[jax.Array, jax.Array]]:
        models, states = carry
        *keys, draw_key = jax.random.split(key, VAE_STEPS + 1)
        for vae_key in keys:
            batch_key, noise_key = jax.random.split(vae_key)
            batches = draw(batch_key)
            first_loss, grads = jax.value_and_grad(deceive)(models.vae, models, noise_key, batches)
            update, state = optimizer.update(grads, states.vae)
            models = models._replace(vae=optax.apply_updates(models.vae, update))
            states = states._replace(vae=state)
        second_loss, grads = jax.value_and_grad(tell_apart)(models.discriminator, models, draw(draw_key))
        update, state = optimizer.update(grads, states.discriminator)
        models = models._replace(discriminator=optax.apply_updates(models.discriminator, update))
        return (models, states._replace(discriminator=state)), (first_loss, second_loss)

    states = Models(optimizer.init(start.vae), optimizer.init(start.discriminator))
    (models, _), losses = jax.lax.scan(step, (start, states), jax.random.split(key, num_steps))
    return models, VaalInfo(*losses)


@partial(jax.jit, static_argnames="model")
def utility(models: Models, inputs: jax.Array, rows: jax.Array, *, model: vae.VAE) -> jax.Array:
    """Minus the probability of being labelled, at the latent mean.

    Args:
      models: of `fit`.
      inputs: [M, ...].
      rows: those of the pool [N].
      model: as for `fit`, static.

    Returns:
      utility [N] in [-1, 0], higher first.
    """

    def score(chunk: jax.Array) -> jax.Array:
        return -nn.sigmoid(_judge(models, _encode(model, models, inputs[chunk])))

    return in_chunks(score, rows)


def _encode(model: vae.VAE, models: Models, x: jax.Array) -> vae.Encoding:
    code: Any = model.apply(models.vae, x, method="encode")
    return vae.Encoding(*code)


def _judge(models: Models, code: vae.Encoding) -> jax.Array:
    """Logits of the discriminator [n]."""
    output: Any = Discriminator().apply(models.discriminator, code.mean)
    logits: jax.Array = output
    return logits


def _is_finite(inputs: jax.Array, rows: jax.Array) -> jax.Array:
    """Which rows hold neither a NaN nor an infinity [N]."""
    return in_chunks(lambda chunk: jnp.all(jnp.isfinite(inputs[chunk].reshape(len(chunk), -1)), axis=1), rows)


def _sampler(rows: jax.Array, wanted: jax.Array) -> Callable[[jax.Array, int], jax.Array]:
    """(key, number) -> rows drawn with replacement from those wanted."""
    order, count = rows[jnp.argsort(~wanted, stable=True)], jnp.sum(wanted)
    return lambda key, num: order[jax.random.randint(key, (num,), 0, jnp.maximum(count, 1))]
