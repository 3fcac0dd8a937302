"""VaB-AL: how probably a classifier is wrong about a row, by Bayes' rule (Choi et al., 2021)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.autoencoders import stage_vae, vae
from alfamous_jax.autoencoders.stage_vae import BLOCK, WIDTH, Models, StageVAE
from alfamous_jax.core import convert
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.networks import train

PRIORS = ("labelled", "available")  # rows whose labels by the autoencoder are counted
LIKELIHOODS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "exp": lambda loss: jnp.exp(-loss),
    "inverse": jnp.reciprocal,
    "loss": lambda loss: loss,
}
DRAWN_AT_ONCE = 2**20  # numbers of a layer of the decoder that are held at a time


class Scoring(NamedTuple):
    """Which probabilities count, and how; static. The terms of Eq. 6 are the paper's, the form of the likelihood ours.

    The paper takes "the inversed value" of the autoencoder's loss for a lower bound of the likelihood and does not say
    more. Its loss bounds the negative log-likelihood, hence exp(-loss).
    """

    num_samples: int = 100  # draws of the latent
    use_prior: bool = True  # p(yhat_n), Table 1
    use_difficulty: bool = True  # p(y_n | yhat_n), Table 1; the authors' code leaves it out of its score
    likelihood: str = "exp"  # exp(-loss), ours; "inverse", 1 / loss; "loss" itself, as the authors' code has it
    prior_from: str = "labelled"  # rows whose autoencoder labels are counted, Eq. 12; "available", the authors' code


class Rates(NamedTuple):
    """How the autoencoder's labels fare on labelled rows, Eq. 11 and 12."""

    precision: jax.Array  # [K], p(y_n | yhat_n): 1 minus the difficulty of a class
    prior: jax.Array  # [K], p(yhat_n)


@partial(jax.jit, static_argnames="model")
def read(
    models: Models, stages: tuple[jax.Array, ...], noise: jax.Array, *, model: StageVAE
) -> tuple[jax.Array, jax.Array]:
    """What the autoencoder makes of every row: its loss without each class's block, and its labels.

    All rows have the same draws, so that they compare; a pool goes through in chunks of 4 MB a layer.

    Args:
      models: of `fit`.
      stages: each [N, width].
      noise: standard normal [S, 10 K].
      model: static.

    Returns:
      loss [N, K], squared error and KL with the block of class n decoded as 0, mean over the draws; votes [N, K], how
      many draws have n as their most absent class.
    """
    num_samples, num_classes = len(noise), model.num_classes
    (first, first_bias), *middle, (last, last_bias) = _decoder_layers(models.variables)
    gram = jnp.matmul(last, last.T, precision=HIGHEST)
    product = partial(jnp.matmul, precision=HIGHEST)

    def read_chunk(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        x: Any
        code: Any
        scaled = stage_vae.standardize(tuple(h[rows] for h in stages), models.mean, models.deviation)
        x = model.apply(models.variables, scaled, method="embed")
        code = model.apply(models.variables, x, method="encode")
        z = vae.reparameterise(code, noise[:, None])
        labels = jnp.argmin(stage_vae.presence(z, num_classes, model.constraint), axis=-1)
        offset = last_bias - x
        offset_product = product(offset, last.T)
        whole = product(z, first) + first_bias

        def error_without(block: tuple[jax.Array, jax.Array]) -> jax.Array:
            z_block, kernel = block
            h = nn.relu(whole - product(z_block, kernel))
            for kernel, bias in middle:
                h = nn.relu(product(h, kernel) + bias)
            # Mean over draws of |h' last + offset|^2, multiplied out: the last layer is wider than the one before.
            square = jnp.mean(jnp.sum(product(h, gram) * h, axis=-1), axis=0)
            return square + 2.0 * jnp.sum(jnp.mean(h, axis=0) * offset_product, axis=-1)

        blocks = jnp.moveaxis(z.reshape(*z.shape[:-1], num_classes, BLOCK), -2, 0)
        errors = jax.lax.map(error_without, (blocks, first.reshape(num_classes, BLOCK, WIDTH)))
        error = (errors.T + jnp.sum(offset**2, axis=1, keepdims=True)) / x.shape[1]
        kl = vae.kl_divergence(code) / code.mean.shape[1]
        return error + model.kl_weight * kl[:, None], jnp.sum(
            jax.nn.one_hot(labels, num_classes, dtype=jnp.int32), axis=0
        )

    chunk = max(1, DRAWN_AT_ONCE // (num_samples * WIDTH))
    return train.in_chunks(read_chunk, jnp.arange(len(stages[0])), chunk)


def class_rates(votes: jax.Array, labels: jax.Array, labelled: jax.Array) -> Rates:
    """How often each label is right, and how often it is given, Eq. 11 and 12.

    Args:
      votes: of `read` [N, K].
      labels: true ones [N].
      labelled: the rows that count [N].

    Returns:
      the rates; both are 0 for a class that no draw names.
    """
    votes = jnp.where(labelled[:, None], votes, 0)
    given = jnp.sum(votes, axis=0)
    right = jnp.sum(jnp.where(jax.nn.one_hot(convert.as_labels(labels), votes.shape[1], dtype=bool), votes, 0), axis=0)
    return Rates(right / jnp.maximum(given, 1), given / jnp.maximum(jnp.sum(given), 1))


def score(losses: jax.Array, rates: Rates, scoring: Scoring) -> jax.Array:
    """One minus the probability, up to scale, that the classifier is right, Eq. 6.

    Args:
      losses: of `read` [N, K].
      rates: of `class_rates`.
      scoring: which terms count, and the likelihood of a loss.

    Returns:
      utility [N], higher first. ValueError for another likelihood.
    """
    if scoring.likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {scoring.likelihood!r}")
    likelihood = LIKELIHOODS[scoring.likelihood]
    factors = (rates.precision if scoring.use_difficulty else 1.0) * (rates.prior if scoring.use_prior else 1.0)
    return 1.0 - jnp.sum(likelihood(losses) * factors, axis=1)


@partial(jax.jit, static_argnames=("model", "scoring"))
def utility(
    key: jax.Array,
    models: Models,
    stages: tuple[jax.Array, ...],
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    model: StageVAE,
    scoring: Scoring,
) -> tuple[jax.Array, Rates]:
    """How probably the classifier is wrong about a row, up to scale.

    Args:
      key: consumed.
      models: of `fit`.
      stages: each [N, width].
      labels: true ones [N]; those of other rows than the labelled are not looked at.
      labelled, available: [N].
      model, scoring: as for `fit`, static.

    Returns:
      utility [N], higher first, NaN where a stage has a NaN or an infinity; the rates behind it. With nothing labelled
      all rows score 1. ValueError for a scoring there is not.
    """
    if scoring.prior_from not in PRIORS:
        raise ValueError(f"prior_from must be labelled or available, got {scoring.prior_from!r}")
    noise = jax.random.normal(key, (scoring.num_samples, BLOCK * model.num_classes), stages[0].dtype)
    losses, votes = read(models, stages, noise, model=model)
    finite = stage_vae.is_finite(stages)
    rates = class_rates(votes, labels, labelled & finite)
    if scoring.prior_from == "available":
        rates = rates._replace(prior=class_rates(votes, labels, available & finite).prior)
    return jnp.where(finite, score(losses, rates, scoring), jnp.nan), rates


def _decoder_layers(variables: dict[str, Any]) -> list[tuple[jax.Array, jax.Array]]:
    """(kernel, bias) of every layer, with the running batch norm before a layer folded into it."""
    decoder = variables["params"]["autoencoder"]["decoder"]
    layers = [(decoder[f"Dense_{i}"]["kernel"], decoder[f"Dense_{i}"]["bias"]) for i in range(4)]
    if "batch_stats" not in variables:
        return layers
    for i, (kernel, bias) in enumerate(layers[1:]):
        learned = decoder[f"BatchNorm_{i}"]
        running = variables["batch_stats"]["autoencoder"]["decoder"][f"BatchNorm_{i}"]
        scale = learned["scale"] / jnp.sqrt(running["var"] + 1e-5)
        shift = learned["bias"] - running["mean"] * scale
        layers[i + 1] = scale[:, None] * kernel, bias + shift @ kernel
    return layers
