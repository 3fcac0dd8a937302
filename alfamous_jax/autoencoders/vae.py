"""Variational autoencoders of tables or features and of images, and their losses (Kingma and Welling, 2014)."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoding(NamedTuple):
    """A Gaussian over the latent of every row."""

    mean: jax.Array  # [N, latent]
    log_variance: jax.Array  # [N, latent]


class VAE(nn.Module):
    """An encoder (x) -> h [N, width] under two linear maps, and a decoder (z) -> x."""

    encoder: nn.Module
    decoder: nn.Module
    latent: int = 32

    def setup(self) -> None:
        """The two linear maps."""
        self.mean, self.log_variance = nn.Dense(self.latent), nn.Dense(self.latent)

    def encode(self, x: jax.Array) -> Encoding:
        """Rows [N, ...] -> their latent Gaussians."""
        h = self.encoder(x)
        return Encoding(self.mean(h), self.log_variance(h))

    def decode(self, z: jax.Array) -> jax.Array:
        """Latents [N, latent] -> rows [N, ...]."""
        rows: jax.Array = self.decoder(z)
        return rows

    def __call__(self, x: jax.Array, noise: jax.Array) -> tuple[jax.Array, Encoding]:
        """Rows [N, ...] and standard normal noise [N, latent] -> reconstructions, latent Gaussians."""
        code = self.encode(x)
        return self.decode(reparameterise(code, noise)), code


def reparameterise(code: Encoding, noise: jax.Array) -> jax.Array:
    """Latent draws mean + exp(log_variance / 2) noise, of the shape of the noise [..., N, latent]."""
    return code.mean + jnp.exp(0.5 * code.log_variance) * noise


def kl_divergence(code: Encoding) -> jax.Array:
    """KL of each row's Gaussian from the standard normal [N], in nats."""
    mean, log_variance = code
    return 0.5 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=-1)


class Dense(nn.Module):
    """Layers of a width with rectifiers between them; `shape` is that of a row of the output.

    With batch norm after every rectifier, a call that may change the collection `batch_stats` is a training call.
    """

    widths: Sequence[int]
    shape: Sequence[int] | None = None  # None ends with the last width, rectified
    batch_norm: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[N, ...] -> [N, widths[-1]] or [N, *shape]."""
        h = x.reshape(x.shape[0], -1)
        for width in self.widths:
            h = nn.relu(nn.Dense(width)(h))
            if self.batch_norm:
                h = nn.BatchNorm(not self.is_mutable_collection("batch_stats"), momentum=0.9)(h)
        return h if self.shape is None else nn.Dense(prod(self.shape))(h).reshape(-1, *self.shape)


class Convolutions(nn.Module):
    """Each halves the image, with kernels of 4 x 4."""

    channels: Sequence[int]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Images [N, height, width] or [N, height, width, channels] -> [N, features]."""
        h = x[..., None] if x.ndim == 3 else x
        for width in self.channels:
            h = nn.relu(nn.Conv(width, (4, 4), (2, 2))(h))
        return h.reshape(h.shape[0], -1)


class Deconvolutions(nn.Module):
    """Each doubles the image; what is too large in the end is cut off evenly."""

    channels: Sequence[int]
    shape: Sequence[int]  # of an image

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """[N, latent] -> [N, *shape]."""
        height, width = (-(-side // 2 ** len(self.channels)) for side in self.shape[:2])
        h = nn.relu(nn.Dense(height * width * self.channels[0])(z)).reshape(-1, height, width, self.channels[0])
        last = self.shape[2] if len(self.shape) == 3 else 1
        for number, channels in enumerate((*self.channels[1:], last)):
            h = nn.ConvTranspose(channels, (4, 4), (2, 2))(h if number == 0 else nn.relu(h))
        top, left = (h.shape[1] - self.shape[0]) // 2, (h.shape[2] - self.shape[1]) // 2
        return h[:, top : top + self.shape[0], left : left + self.shape[1]].reshape(-1, *self.shape)


def build(shape: Sequence[int], latent: int = 32) -> VAE:
    """The autoencoder for rows of a shape.

    Args:
      shape: of a row; one axis is a table, a series or features (two layers of 512), two or three are an image
        (convolutions of 128, 256, 512 and 1,024 channels, those of VAAL, without its batch norm, so that no row
        depends on others).
      latent: width of the latent space.

    Returns:
      the module.
    """
    if len(shape) == 1:
        return VAE(Dense((512, 512)), Dense((512, 512), tuple(shape)), latent)
    channels = (128, 256, 512, 1024)
    return VAE(Convolutions(channels), Deconvolutions(channels[::-1], tuple(shape)), latent)
