"""Distortions of images against scipy and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from alfamous_jax.networks import augment

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).uniform(0, 1, size=(6, 12, 10)).astype(np.float32)


def test_no_distortion_is_the_identity():
    for images in (IMAGES, np.stack([IMAGES] * 3, axis=-1)):
        moved = augment.affine(jax.random.key(0), images, 0.3, degrees=0.0, shift=0.0, scale=0.0)
        np.testing.assert_allclose(moved, images, atol=1e-5)
        np.testing.assert_allclose(augment.jitter(jax.random.key(0), images, by=0.0), images, atol=1e-6)


@pytest.mark.parametrize(
    "angle, factor, shift", [(0.0, 1.0, (2.0, -1.0)), (15.0, 1.1, (1.2, -0.5)), (-20.0, 0.9, (0.0, 0.7))]
)
def test_warp_against_scipy(angle, factor, shift):
    image, angle = IMAGES[0], np.deg2rad(angle)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    centre = (np.array(image.shape) - 1) / 2
    offset = centre - turn @ (centre + shift)
    expected = scipy.ndimage.affine_transform(image, turn, offset, order=1, mode="grid-constant", cval=0.3)
    got = augment.warp(jnp.asarray(image), jnp.float32(angle), jnp.float32(factor), jnp.array(shift), 0.3)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_whole_shift_moves_pixels():
    got = augment.warp(jnp.asarray(IMAGES[1]), jnp.float32(0), jnp.float32(1), jnp.array([2.0, -1.0]), 0.5)
    np.testing.assert_allclose(got[2:, :-1], IMAGES[1][:-2, 1:], atol=1e-5)
    np.testing.assert_allclose(got[:2], 0.5, atol=1e-5)
    np.testing.assert_allclose(got[:, -1], 0.5, atol=1e-5)


def test_channels_share_a_draw_and_keep_their_black():
    images = np.stack([IMAGES, IMAGES + 1], axis=-1)
    moved = augment.affine(jax.random.key(1), images, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(moved[..., 1] - moved[..., 0], 1.0, atol=1e-5)
    assert jnp.abs(moved - images).max() > 0.1


def test_every_image_has_its_own_draw():
    same = np.repeat(IMAGES[:1], 8, axis=0)
    for distort in (augment.affine, augment.jitter, augment.flip_and_crop):
        moved = np.asarray(distort(jax.random.key(2), same))
        assert len(np.unique(moved.reshape(8, -1).round(4), axis=0)) > 4
        np.testing.assert_array_equal(moved, distort(jax.random.key(2), same))
        assert not np.array_equal(moved, distort(jax.random.key(3), same))


def test_jitter_stays_between_black_and_white():
    bright = np.full((40, 4, 4), 0.95, np.float32)
    bright[:, :2] = 0.1
    moved = np.asarray(augment.jitter(jax.random.key(4), bright, by=0.2))
    assert moved.min() >= 0 and moved.max() == 1
    # brightness f and contrast g: mean f m, distance from it f g (x - m)
    spread = moved[:, :2].mean(axis=(1, 2))
    assert spread.std() > 0.005


def test_jitter_by_hand(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda *_, **__: jnp.array([0.9, 1.2]).reshape(2, 1, 1, 1))
    image = jnp.array([[[-1.0, 0.0], [1.0, 2.0]]])
    # black -1, so distances 0 1 2 3 become 0 .9 1.8 2.7: values -1 -.1 .8 1.7, mean .35, then 1.2 times the distance
    expected = np.clip(0.35 + 1.2 * (np.array([-1, -0.1, 0.8, 1.7]) - 0.35), -1, 2)
    np.testing.assert_allclose(augment.jitter(jax.random.key(0), image, -1.0, 2.0).ravel(), expected, atol=1e-6)


def test_flip_and_crop_gives_shifted_mirror_images():
    images = np.repeat(IMAGES[:1], 64, axis=0)
    padded = {flip: np.pad(IMAGES[0, :, :: -1 if flip else 1], 2, constant_values=0.25) for flip in (False, True)}
    seen = set()
    for moved in np.asarray(augment.flip_and_crop(jax.random.key(5), images, 0.25, pad=2)):
        places = {
            (flip, row, column)
            for flip, big in padded.items()
            for row in range(5)
            for column in range(5)
            if np.allclose(big[row : row + 12, column : column + 10], moved, atol=1e-6)
        }
        assert len(places) == 1
        seen |= places
    assert len(seen) > 25 and {flip for flip, _, _ in seen} == {False, True}
    assert {row for _, row, _ in seen} == set(range(5)) == {column for _, _, column in seen}
