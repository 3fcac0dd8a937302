"""A variational autoencoder of a classifier's stages, conditioned on its labels by what is absent (VaB-AL, 2021)."""

from functools import partial
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from alfamous_jax.autoencoders import vae
from alfamous_jax.networks import train

WIDTH = 128  # of every layer but the latent
BLOCK = 10  # latents of a class
BATCH_SIZE = 128
MEASURES = {"square": jnp.square, "absolute": jnp.abs, "sigmoid": jax.nn.sigmoid}


class Training(NamedTuple):
    """How it is trained: numbers of the paper's section 3.4, and what it does not say as its authors' code. Static."""

    mask_in_training: bool = True  # whether the predicted class's block is decoded as 0; not in the paper, the authors'
    weight: float = 0.005  # of the label's loss, lambda of Eq. 10
    epochs: int = 20
    learning_rate: float = 1e-4
    milestones: tuple[int, ...] = ()  # epochs at which the rate falls to a tenth; the authors' code: 16, from .01


class Models(NamedTuple):
    """The autoencoder, and the moments of the stages it was trained on."""

    variables: dict[str, Any]
    mean: tuple[jax.Array, ...]
    deviation: tuple[jax.Array, ...]


class StageVAE(nn.Module):
    """A layer of 128 sigmoids on each stage, and an autoencoder of these with ten latents for each class."""

    num_classes: int
    num_stages: int
    constraint: str = "square"  # what sums up to w_n: z^2; "absolute", |z|; "sigmoid" (Table 2)
    batch_norm: bool = (
        False  # after every rectifier of encoder and decoder; not in the paper, True in the authors' code
    )
    kl_weight: float = 1.0  # of the KL in Eq. 9; that error and KL are means and no sums is the authors' code

    def setup(self) -> None:
        """The layers on the stages, and the autoencoder."""
        self.layers = [nn.Dense(WIDTH) for _ in range(self.num_stages)]
        hidden, latent = (WIDTH,) * 3, BLOCK * self.num_classes
        encoder = vae.Dense(hidden, batch_norm=self.batch_norm)
        self.autoencoder = vae.VAE(encoder, vae.Dense(hidden, (WIDTH * self.num_stages,), self.batch_norm), latent)

    def embed(self, stages: tuple[jax.Array, ...]) -> jax.Array:
        """Standardised stages, each [N, width] -> what is encoded [N, 128 stages]."""
        return jnp.concatenate([nn.sigmoid(f(h)) for f, h in zip(self.layers, stages, strict=True)], axis=1)

    def encode(self, x: jax.Array) -> vae.Encoding:
        """[N, 128 stages] -> latent Gaussians."""
        return self.autoencoder.encode(x)

    def decode(self, z: jax.Array) -> jax.Array:
        """Latents [N, 10 K] -> [N, 128 stages]."""
        return self.autoencoder.decode(z)

    def __call__(
        self, stages: tuple[jax.Array, ...], noise: jax.Array, absent: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array, vae.Encoding, jax.Array]:
        """Stages, noise [N, 10 K] and the class [N] decoded as absent -> x, reconstruction, latent Gaussians, draws."""
        x = self.embed(stages)
        code = self.encode(x)
        z = vae.reparameterise(code, noise)
        kept = z if absent is None else without(z, absent, self.num_classes)
        return x, self.decode(kept), code, z


def without(z: jax.Array, absent: jax.Array, num_classes: int) -> jax.Array:
    """Latents [..., 10 K] with the block of the class absent [...] set to 0."""
    blocks = z.reshape(*z.shape[:-1], num_classes, BLOCK)
    return jnp.where(jax.nn.one_hot(absent, num_classes, dtype=bool)[..., None], 0.0, blocks).reshape(z.shape)


def presence(z: jax.Array, num_classes: int, constraint: str) -> jax.Array:
    """w_n, how present the latent block of each class is; the most absent class is the autoencoder's label, Eq. 7.

    Args:
      z: latents [..., 10 K].
      num_classes: K, static.
      constraint: "square", "absolute" or "sigmoid", static.

    Returns:
      w [..., K]. ValueError for another constraint.
    """
    if constraint not in MEASURES:
        raise ValueError(f"constraint must be one of {', '.join(MEASURES)}, got {constraint!r}")
    return jnp.sum(MEASURES[constraint](z.reshape(*z.shape[:-1], num_classes, BLOCK)), axis=-1)


def loss(
    x: jax.Array,
    decoded: jax.Array,
    code: vae.Encoding,
    w: jax.Array,
    predicted: jax.Array,
    weight: float,
    kl_weight: float,
) -> jax.Array:
    """Squared error, KL and the label's cross-entropy, Eq. 8 to 10.

    Args:
      x, decoded: [n, F]; x is a target, through which nothing is learned. The error is the mean over F.
      code: latent Gaussians; their KL is the mean over the latents, as in the authors' code.
      w: of `presence` [n, K].
      predicted: the classifier's labels [n].
      weight: lambda of Eq. 10.
      kl_weight: of `StageVAE`.

    Returns:
      loss [], the mean over rows.
    """
    error = jnp.mean((decoded - jax.lax.stop_gradient(x)) ** 2)
    kl = jnp.mean(vae.kl_divergence(code)) / code.mean.shape[-1]
    return error + kl_weight * kl + weight * jnp.mean(optax.softmax_cross_entropy_with_integer_labels(-w, predicted))


@partial(jax.jit, static_argnames=("model", "training"))
def fit(
    key: jax.Array,
    stages: tuple[jax.Array, ...],
    predicted: jax.Array,
    available: jax.Array,
    *,
    model: StageVAE,
    training: Training,
) -> tuple[Models, jax.Array]:
    """Trains the autoencoder on the rows that are not labelled.

    The paper's batch norm of the stages has the moments of all these rows here, as the classifier is frozen; its
    scale and shift are those of the layer after it.

    Args:
      key: consumed.
      stages: pooled features of places in the classifier, each [N, width].
      predicted: the classifier's labels [N].
      available: [N]; rows with a NaN or an infinity are left out.
      model, training: static.

    Returns:
      the models, and the mean loss of every epoch [epochs]. ValueError where the model has another number of stages.
    """
    if len(stages) != model.num_stages:
        raise ValueError(f"the model has num_stages {model.num_stages}, got {len(stages)} stages")
    chex.assert_equal_shape([predicted, available])
    usable = available & is_finite(stages)
    rows, count = jnp.argsort(~usable, stable=True), jnp.maximum(jnp.sum(usable), 1)
    mean, deviation = zip(*(_moments(h, usable, count) for h in stages), strict=True)
    optimizer = train.direction("adam")
    schedule = optax.piecewise_constant_schedule(training.learning_rate, dict.fromkeys(training.milestones, 0.1))
    init_key, key = jax.random.split(key)
    latent = BLOCK * model.num_classes
    variables = model.init(init_key, tuple(h[:1] for h in stages), jnp.zeros((1, latent), stages[0].dtype))

    def loss_fn(params: Any, moving: Any, chosen: jax.Array, noise: jax.Array) -> tuple[jax.Array, Any]:
        batch, labels = standardize(tuple(h[chosen] for h in stages), mean, deviation), predicted[chosen]
        absent = labels if training.mask_in_training else None
        (x, decoded, code, z), moved = model.apply(
            {"params": params, **moving}, batch, noise, absent, mutable=[*moving]
        )
        w = presence(z, model.num_classes, model.constraint)
        return loss(x, decoded, code, w, labels, training.weight, model.kl_weight), moved

    def step(i: jax.Array, carry: Any, order: jax.Array, noise_key: jax.Array, rate: jax.Array) -> Any:
        params, moving, state, total = carry
        chosen = order[(i * BATCH_SIZE + jnp.arange(BATCH_SIZE)) % count]  # the last batch is filled from the first
        noise = jax.random.normal(jax.random.fold_in(noise_key, i), (BATCH_SIZE, latent), stages[0].dtype)
        (value, moving), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, moving, chosen, noise)
        update, state = optimizer.update(grads, state, params)
        return jax.tree.map(lambda p, u: p - rate * u, params, update), moving, state, total + value

    def epoch(carry: Any, numbered: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        number, key = numbered
        order_key, noise_key = jax.random.split(key)
        order, steps = rows[train.shuffle(order_key, len(rows), count)], -(-count // BATCH_SIZE)
        one_step = partial(step, order=order, noise_key=noise_key, rate=schedule(number))
        *carry, total = jax.lax.fori_loop(0, steps, one_step, (*carry, jnp.zeros((), stages[0].dtype)))
        return tuple(carry), total / steps

    params, moving = variables["params"], {name: tree for name, tree in variables.items() if name != "params"}
    numbered = jnp.arange(training.epochs), jax.random.split(key, training.epochs)
    (params, moving, _), losses = jax.lax.scan(epoch, (params, moving, optimizer.init(params)), numbered)
    return Models({"params": params, **moving}, mean, deviation), losses


def is_finite(stages: tuple[jax.Array, ...]) -> jax.Array:
    """Which rows hold neither a NaN nor an infinity in any stage [N]."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(h), axis=1) for h in stages]), axis=0)


def _moments(h: jax.Array, usable: jax.Array, count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and deviation of each feature over the usable rows; a deviation of 0 stands as 1."""
    mean = jnp.sum(jnp.where(usable[:, None], h, 0.0), axis=0) / count
    deviation = jnp.sqrt(jnp.sum(jnp.where(usable[:, None], (h - mean) ** 2, 0.0), axis=0) / count)
    return mean, jnp.where(deviation > 0, deviation, 1.0)


def standardize(
    stages: tuple[jax.Array, ...], mean: tuple[jax.Array, ...], deviation: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    """Stages, each [N, width], less their mean and over their deviation."""
    return tuple((h - m) / d for h, m, d in zip(stages, mean, deviation, strict=True))
