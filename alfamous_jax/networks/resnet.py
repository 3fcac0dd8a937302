"""Residual networks for images, with bounded spectral norms if asked (SNGP): ResNet-6, ResNet-18 and ResNet-34."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.networks.layers import Dropout, SpectralConv


class ResNet(nn.Module):
    """Stem, stages of basic blocks, mean over the image.

    The convolutions of the blocks and of their shortcuts are normalised, the stem is not. Batch statistics
    leave out the rows that `mask` marks as padding, and live in the collection `batch_stats`.
    """

    stem: int  # channels of the first convolution
    stem_size: int  # and the width of its kernel
    widths: Sequence[int]  # channels of every stage
    depth: int | Sequence[int]  # blocks in a stage, of all stages or of each
    strides: Sequence[int]  # of the first block of every stage
    bound: float | None = 6.0
    dropout: float = 0.0  # before every block (VaB-AL)
    stem_stride: int = 1
    pool: bool = False  # whether a maximum over 3 x 3 halves the image after the stem, as for ImageNet

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, mask: jax.Array | None = None
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Images [N, height, width] or [N, height, width, channels] -> features [N, widths[-1]], stages [N, width]."""
        x = x[..., None] if x.ndim == 3 else x
        pad = ((self.stem_size // 2,) * 2,) * 2
        strides = (self.stem_stride,) * 2
        h = SpectralConv(self.stem, (self.stem_size,) * 2, None, strides, pad, use_bias=False)(x, train)
        h = nn.relu(_batch_norm(h, train, mask))
        if self.pool:
            h = jax.lax.reduce_window(
                h, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
            )
        stages = [h]
        depths = (self.depth,) * len(self.widths) if isinstance(self.depth, int) else self.depth
        for width, stride, depth in zip(self.widths, self.strides, depths, strict=True):
            for block in range(depth):
                h = Dropout(self.dropout)(h, train)
                h = BasicBlock(width, stride if block == 0 else 1, self.bound)(h, train, mask)
            stages.append(h)
        pooled = tuple(jnp.mean(stage, axis=(1, 2)) for stage in stages)
        return pooled[-1], pooled


class BasicBlock(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)), kernels of 3 x 3 (He et al., 2016)."""

    width: int
    stride: int
    bound: float | None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, mask: jax.Array | None = None) -> jax.Array:
        """[N, height, width, channels] -> [N, height / stride, width / stride, self.width]."""

        def convolve(x: jax.Array, size: int, stride: int) -> jax.Array:
            pad = ((size // 2,) * 2,) * 2
            conv = SpectralConv(self.width, (size, size), self.bound, (stride, stride), pad, use_bias=False)
            return _batch_norm(conv(x, train), train, mask)

        h = nn.relu(convolve(x, 3, self.stride))
        h = convolve(h, 3, 1)
        same = self.stride == 1 and x.shape[-1] == self.width
        return nn.relu(h + (x if same else convolve(x, 1, self.stride)))


def resnet6(bound: float | None = 6.0, dropout: float = 0.0) -> ResNet:
    """One block of 16 and one of 32 channels after a stem of 6, for small grey images: 32 features."""
    return ResNet(stem=6, stem_size=5, widths=(16, 32), depth=1, strides=(2, 2), bound=bound, dropout=dropout)


WIDTHS, STRIDES = (64, 128, 256, 512), (1, 2, 2, 2)
IMAGENET = {"stem_size": 7, "stem_stride": 2, "pool": True}  # of the stem, for images of some 224 x 224


def resnet18(bound: float | None = 6.0, dropout: float = 0.0, imagenet: bool = False) -> ResNet:
    """Two blocks each of 64, 128, 256 and 512 channels: 512 features (He et al., 2016).

    Args:
      bound: of the convolutions' norms; None is none.
      dropout: rate, before every block.
      imagenet: False has a stem of 3 x 3, for 32 x 32 images; True that of torchvision, whose weights it takes
        (`tools/convert_torchvision.py`).
    """
    return _deep(2, bound, dropout, imagenet)


def resnet34(bound: float | None = 6.0, dropout: float = 0.0, imagenet: bool = False) -> ResNet:
    """3, 4, 6 and 3 blocks of 64, 128, 256 and 512 channels: 512 features; see `resnet18`."""
    return _deep((3, 4, 6, 3), bound, dropout, imagenet)


def _deep(depth: int | Sequence[int], bound: float | None, dropout: float, imagenet: bool) -> ResNet:
    stem: dict[str, Any] = IMAGENET if imagenet else {"stem_size": 3}
    return ResNet(stem=64, widths=WIDTHS, depth=depth, strides=STRIDES, bound=bound, dropout=dropout, **stem)


def _batch_norm(x: jax.Array, train: bool, mask: jax.Array | None) -> jax.Array:
    mask = None if mask is None else mask[:, None, None, None]
    normed: jax.Array = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)(x, mask=mask)
    return normed
