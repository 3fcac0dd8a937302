"""Inputs on one scale: by feature, by channel, cut; what never varies becomes 0, integers are the same numbers."""

import re

import numpy as np
import pytest

from alfamous_jax import datasets
from alfamous_jax.datasets import scaling


def test_standardize_uses_the_training_rows():
    data = datasets.Dataset(np.array([[1, 5], [3, 5]]), np.zeros(2), np.array([[5, 6]]), np.zeros(1), 1)
    train, test = datasets.standardize(data)
    np.testing.assert_allclose(train, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(test, [[3, 0]])
    assert train.dtype == np.float32


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 4, 2)], ids=["series", "grey", "colour"])
def test_standardize_by_channel(shape):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, size=(2100, *shape)).astype(np.uint8)
    data = datasets.Dataset(x, np.zeros(2100), x[:3], np.zeros(3), 1, scaling="channel")
    train, test = datasets.standardize(data)
    channels = np.float64(x).reshape(-1, shape[-1] if len(shape) == 3 else 1)
    expected = (np.float64(x) - channels.mean(axis=0)) / channels.std(axis=0)
    np.testing.assert_allclose(train, expected, atol=1e-5)
    np.testing.assert_allclose(test, expected[:3], atol=1e-5)
    mean, deviation = datasets.moments(data)
    np.testing.assert_allclose(mean, channels.mean(axis=0).reshape(mean.shape))
    np.testing.assert_allclose(deviation, channels.std(axis=0).reshape(mean.shape))


def of(x_train, x_test, how):
    x_train, x_test = np.asarray(x_train), np.asarray(x_test)
    return datasets.Dataset(x_train, np.zeros(len(x_train)), x_test, np.zeros(len(x_test)), 2, how)


@pytest.mark.parametrize("how", ["feature", "clipped"])
def test_rounding_is_not_divided_by(how):
    """The mean of eighty times .1 is not .1 in float64; the residue of 1e-17 once became a deviation of 1."""
    x = np.random.default_rng(0).normal(size=(80, 3))
    x[:, 1] = 0.1
    x[:, 2] = np.float32(0.3) + np.random.default_rng(1).normal(size=80) * 1e-8  # as a float32 constant comes back
    test = x[:5].copy()
    test[:, 1:] = 0.2
    assert x[:, 1].std() > 0, "the case"
    data = of(x, test, how)
    for part in datasets.standardize(data):
        assert (part[:, 1:] == 0).all() and np.abs(part[:, 0]).max() > 0.5
    assert scaling.constant(data).tolist() == [False, True, True]


def test_constant_images_become_0():
    train, test = datasets.standardize(of(np.full((80, 4, 4), 0.1), np.full((5, 4, 4), 0.2), "channel"))
    assert (train == 0).all() and (test == 0).all()


def test_a_common_scale():
    """Rows have squared length 1 on average; a constant feature is 0 whatever the others' scale."""
    x = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 10.0, 0.0] + 0.1
    train, test = datasets.standardize(of(x, x[:4] + [0, 0, 1], "common"))
    np.testing.assert_allclose(np.mean(np.sum(train**2, axis=1)), 1.0, rtol=1e-5)
    np.testing.assert_allclose(train[:, 1].std() / train[:, 0].std(), x[:, 1].std() / x[:, 0].std(), rtol=1e-5)
    assert (train[:, 2] == 0).all() and (test[:, 2] == 0).all()


@pytest.mark.parametrize("how", scaling.SCALINGS)
@pytest.mark.parametrize("shape", [(5,), (4, 4), (4, 4, 3)], ids=["table", "grey", "colour"])
def test_extremes_are_those_of_the_scaled_rows(how, shape):
    x = np.random.default_rng(0).normal(size=(300, *shape)) ** 3
    data = of(x, x[:3], how)
    train, _ = datasets.standardize(data)
    np.testing.assert_allclose(scaling.extremes(data), [train.min(), train.max()], rtol=1e-5)


class TestSeries:
    """Each channel of a series has a mean and a deviation of its own, over all times."""

    series = np.stack(
        [np.random.default_rng(0).normal(size=(30, 40)), 1e3 + 50 * np.arange(1200.0).reshape(30, 40)], -1
    )

    def loaded(self, x):
        return datasets.from_arrays(
            {"x_train": x, "y_train": np.arange(30) % 2, "x_test": x, "y_test": np.arange(30) % 2}, 2
        )

    def test_a_few_channels_and_many_times_are_series(self):
        data = self.loaded(self.series)
        assert data.scaling == "series"
        assert data.notes == (
            "Rows of 40 x 2 numbers were taken for series of 2 channels, each with a mean and a deviation of its own; "
            "images of this shape are told by [rows, height, width, 1].",
        )
        for how in ("series", "channel", "clipped"):
            train, test = datasets.standardize(data._replace(scaling=how))
            for k in range(2):
                own = self.series[..., k]
                np.testing.assert_allclose(train[..., k], (own - own.mean()) / own.std(), atol=1e-4)
            np.testing.assert_array_equal(train, test)

    @pytest.mark.parametrize("shape", [(28, 28), (40, 13), (5, 3), (40, 2, 1), (40, 2, 3)])
    def test_other_shapes_are_images(self, shape):
        data = self.loaded(np.random.default_rng(0).normal(size=(30, *shape)))
        assert data.scaling == "channel" and data.notes == ()

    def test_series_that_are_named(self):
        """[rows, time] looks like a table, [rows, time, channels] with many channels like an image."""
        flat = self.loaded(self.series[..., 1])
        assert flat.scaling == "feature"
        scaled = datasets.standardize(flat._replace(scaling="series"))[0]
        own = self.series[..., 1]
        np.testing.assert_allclose(scaled, (own - own.mean()) / own.std(), atol=1e-4)
        wide = np.random.default_rng(0).normal(size=(30, 20, 20)) * np.arange(1, 21)
        scaled = datasets.standardize(self.loaded(wide)._replace(scaling="series"))[0]
        np.testing.assert_allclose(scaled.std(axis=(0, 1)), 1, atol=1e-5)


class TestPixelEnds:
    """Black and white are where the images' own range puts them."""

    images = np.random.default_rng(0).integers(3, 200, size=(20, 4, 5)).astype(np.uint8)

    @pytest.mark.parametrize("how", ["channel", "clipped", "none"])
    @pytest.mark.parametrize(
        "change",
        [lambda x: x / 127.5 - 1, lambda x: x.astype(np.uint16) * 257, lambda x: np.float32(x) / 255, lambda x: x > 90],
        ids=["-1 to 1", "16 bits", "0 to 1", "booleans"],
    )
    def test_ends_of_the_scaled_rows(self, how, change):
        x = change(self.images)
        black, white = scaling.pixel_ends(of(x, x[:2], how))
        train, _ = datasets.standardize(of(x, x[:2], how))
        np.testing.assert_allclose([black, white], [train.min(), train.max()], rtol=1e-5)
        assert black.dtype == white.dtype == np.float32

    def test_8_bits_are_0_to_255(self):
        black, white = scaling.pixel_ends(of(self.images, self.images[:2], "channel"))
        mean, deviation = self.images.mean(), self.images.std()
        np.testing.assert_allclose([black, white], [-mean / deviation, (255 - mean) / deviation], rtol=1e-5)

    def test_a_channel_without_contrast(self):
        x = np.stack([self.images, np.zeros_like(self.images)], axis=-1)
        black, white = scaling.pixel_ends(of(x, x[:2], "channel"))
        assert black[1] == white[1] == 0 and black[0] < white[0]


def test_large_integers_may_vary_by_little():
    """Seconds since 1970 within a minute."""
    x = 1_700_000_000 + np.arange(60)[:, None]
    train, _ = datasets.standardize(of(x, x[:2], "feature"))
    np.testing.assert_allclose(train[:, 0], (np.arange(60) - 29.5) / np.std(np.arange(60)), atol=1e-3)


@pytest.mark.parametrize("how, place", [("feature", "[1, 2]"), ("common", "[1, 2]"), ("channel", "[1, 2]")])
def test_a_row_beyond_float32_once_scaled_is_refused(how, place):
    """Its numbers are finite, their distance in deviations is not."""
    x = 1e-3 * np.random.default_rng(0).normal(size=(60, 3))
    test = x[:3].copy()
    test[1, 2] = -1e37
    with pytest.raises(
        ValueError, match=rf"^x_test{re.escape(place)} is -1e\+37, -.*e\+(39|40) deviations from the mean of"
    ):
        datasets.standardize(of(x, test, how))
    for other in ("clipped", "none"):
        assert all(np.isfinite(part).all() for part in datasets.standardize(of(x, test, other)))


def test_clipped_cuts_at_four_deviations():
    x = np.zeros((100, 1))
    x[0] = 1.0  # mean .01, deviation .0995: 9.95 deviations away
    train, test = datasets.standardize(of(x, [[0.0], [-50.0]], "clipped"))
    assert train[0, 0] == 4 and test[1, 0] == -4
    np.testing.assert_allclose(train[1:, 0], -0.01 / np.sqrt(0.01 * 0.99), rtol=1e-5)
    images = np.random.default_rng(0).normal(size=(50, 3, 3, 2))
    np.testing.assert_array_equal(
        datasets.standardize(of(images, images, "clipped"))[0],
        np.clip(datasets.standardize(of(images, images, "channel"))[0], -4, 4),
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.float16, np.float64, bool])
@pytest.mark.parametrize("how", scaling.SCALINGS)
def test_numbers_of_any_type_are_the_same_numbers(dtype, how):
    x = np.random.default_rng(0).integers(0, 2 if dtype is bool else 100, size=(40, 3)).astype(dtype)
    train, test = datasets.standardize(of(x, x[:3], how))
    expected = datasets.standardize(of(x.astype(np.float32), x[:3].astype(np.float32), how))
    assert train.dtype == test.dtype == np.float32
    np.testing.assert_allclose(train, expected[0], rtol=1e-6, atol=1e-6)
