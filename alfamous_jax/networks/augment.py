"""Random distortions of image batches, pure and jitted with the training step that draws them."""

import jax
import jax.numpy as jnp


def affine(
    key: jax.Array,
    images: jax.Array,
    black: jax.Array | float = 0.0,
    *,
    degrees: float = 20.0,
    shift: float = 0.1,
    scale: float = 0.1,
) -> jax.Array:
    """Rotates, shifts and scales every image by its own draw, with bilinear interpolation.

    Args:
      key: consumed.
      images: [N, height, width] or [N, height, width, channels].
      black: value that comes in from outside, [] or [channels].
      degrees: angles are uniform in +-degrees.
      shift: shifts are uniform in +-shift of the height and of the width.
      scale: factors are uniform in 1 +- scale.

    Returns:
      images of the same shape.
    """
    angle_key, shift_key, scale_key = jax.random.split(key, 3)
    num, size = len(images), jnp.array(images.shape[1:3])
    angles = jnp.deg2rad(jax.random.uniform(angle_key, (num,), minval=-degrees, maxval=degrees))
    factors = jax.random.uniform(scale_key, (num,), minval=1 - scale, maxval=1 + scale)
    shifts = jax.random.uniform(shift_key, (num, 2), minval=-shift, maxval=shift) * size
    return jax.vmap(warp, in_axes=(0, 0, 0, 0, None))(images, angles, factors, shifts, black)


def warp(
    image: jax.Array, angle: jax.Array, factor: jax.Array, shift: jax.Array, black: jax.Array | float = 0.0
) -> jax.Array:
    """Turns an image about its centre, enlarges it and shifts it, with bilinear interpolation.

    Args:
      image: [height, width] or [height, width, channels].
      angle: in radians [].
      factor: above 1 enlarges [].
      shift: down and to the right, in pixels [2].
      black: value that comes in from outside, [] or [channels].

    Returns:
      an image of the same shape.
    """
    centre = (jnp.array(image.shape[:2]) - 1) / 2
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]]) / factor
    places = jnp.stack(jnp.meshgrid(*map(jnp.arange, image.shape[:2]), indexing="ij"), axis=-1)
    source = (places - centre - shift) @ turn.T + centre  # [height, width, 2]

    def sample(channel: jax.Array) -> jax.Array:
        moved: jax.Array = jax.scipy.ndimage.map_coordinates(channel, [source[..., 0], source[..., 1]], order=1)
        return moved

    # Outside counts as 0, so black is taken off and put back.
    channels = (image - black).reshape(*image.shape[:2], -1)
    moved: jax.Array = jax.vmap(sample, in_axes=-1, out_axes=-1)(channels)
    return moved.reshape(image.shape) + black


def jitter(
    key: jax.Array,
    images: jax.Array,
    black: jax.Array | float = 0.0,
    white: jax.Array | float = 1.0,
    *,
    by: float = 0.2,
) -> jax.Array:
    """Changes brightness (distance from black) and contrast (distance from the image's mean), then clips.

    Args:
      key: consumed.
      images: [N, height, width] or [N, height, width, channels].
      black, white: the ends of the range of pixels, [] or [channels].
      by: both factors are uniform in 1 +- by, drawn for each image.

    Returns:
      images of the same shape.
    """
    factors = jax.random.uniform(key, (2, len(images), *(1,) * (images.ndim - 1)), minval=1 - by, maxval=1 + by)
    images = black + factors[0] * (images - black)
    mean = jnp.mean(images, axis=tuple(range(1, images.ndim)), keepdims=True)
    return jnp.clip(mean + factors[1] * (images - mean), black, white)


def flip_and_crop(key: jax.Array, images: jax.Array, black: jax.Array | float = 0.0, *, pad: int = 4) -> jax.Array:
    """Mirrors half of the images left to right, and shifts each by up to `pad` pixels either way.

    Args:
      key: consumed.
      images: [N, height, width] or [N, height, width, channels].
      black: value that comes in from outside, [] or [channels].
      pad: largest shift along each axis.

    Returns:
      images of the same shape.
    """
    flip_key, crop_key = jax.random.split(key)
    flipped = jax.random.bernoulli(flip_key, shape=(len(images),))
    corners = jax.random.randint(crop_key, (len(images), 2), 0, 2 * pad + 1)

    def one(image: jax.Array, flip: jax.Array, corner: jax.Array) -> jax.Array:
        image = jnp.where(flip, image[:, ::-1], image) - black
        padded = jnp.pad(image, [(pad, pad)] * 2 + [(0, 0)] * (image.ndim - 2))
        return jax.lax.dynamic_slice(padded, (*corner, *(0,) * (image.ndim - 2)), image.shape) + black

    return jax.vmap(one)(images, flipped, corners)
