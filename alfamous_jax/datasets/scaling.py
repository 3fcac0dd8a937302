"""Inputs brought to one scale by what the training rows show; never divided by rounding noise."""

from typing import Any

import numpy as np

from alfamous_jax.datasets.files import Dataset, is_series
from alfamous_jax.datasets.finite import LARGEST

SCALINGS = ("feature", "channel", "series", "common", "clipped", "none")
CLIP = 4.0  # deviations that "clipped" leaves
NOISE = 1e-6  # a deviation below this share of the values' size is rounding


def standardize(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Inputs with zero mean and unit deviation, both measured on the training rows.

    Args:
      dataset: with `scaling` "feature" each feature has its own mean and deviation; with "channel" all places
        of an image share them, and the last axis of [rows, height, width, channels] has its own; with "series" all
        times of [rows, time] share them, and the last axis of [rows, time, channels] has its own; with
        "common" each feature has its own mean and all share one deviation, after which the squared length of a row is
        1 on average; "clipped" is "feature" for tables, else "channel" or what `is_series` says, cut at 4 deviations;
        with "none" both parts come back as they are, integers as the same numbers in float32.

    Returns:
      x_train, x_test in float32. What never varies in training becomes 0 in both.

    Raises:
      ValueError: a row is so far from the training rows that float32 has no number for it once it is scaled.
    """
    parts = dataset.x_train, dataset.x_test
    if dataset.scaling == "none":
        plain = [x if isinstance(x, np.memmap) else x.astype(np.float32, copy=False) for x in parts]
        return plain[0], plain[1]
    exact: Any = np.float64 if by_feature(dataset) else np.float32  # images would take gigabytes in float64
    mean, deviation = (moment.astype(exact) for moment in moments(dataset))
    varies = ~_is_noise(dataset, mean, deviation)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = [((x - mean) / np.where(varies, deviation, exact(1))).astype(np.float32) for x in parts]
    if not varies.all():
        scaled = [np.where(varies, x, np.float32(0)) for x in scaled]
    if dataset.scaling == "clipped":
        scaled = [np.clip(x, -CLIP, CLIP) for x in scaled]
    if not all(np.isfinite(x).all() for x in scaled):
        check_reach(dataset)
        raise ValueError("x_train has numbers whose differences are beyond float32")
    return scaled[0], scaled[1]


def check_reach(dataset: Dataset) -> None:
    """Refuses test rows so far from the training rows that float32 has no number for them once they are scaled.

    Args:
      dataset: see `standardize`.

    Raises:
      ValueError: names the first such number.
    """
    if dataset.scaling == "none":
        return
    x = dataset.x_test
    axes = 0 if by_feature(dataset) else _places(dataset)
    ends = _places_of(dataset, x.min(axes).astype(np.float64), x.max(axes).astype(np.float64))
    if all(np.abs(end).max() <= LARGEST for end in ends):
        return
    (scaled,) = _places_of(dataset, x.astype(np.float64))
    row, *rest = np.argwhere(np.abs(scaled) > LARGEST)[0].tolist()
    place, value, far = ", ".join(map(str, (row, *rest))), x[row, *rest], scaled[row, *rest]
    raise ValueError(
        f"x_test[{place}] is {value:.3g}, {far:.3g} deviations from the mean of the training rows: beyond float32, "
        f"whose largest number is {LARGEST:.3g}"
    )


def moments(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation that `standardize` takes off and divides by.

    Args:
      dataset: see `standardize`.

    Returns:
      two float64 arrays of the shape of a row, of its channels, or of no axes.
    """
    x = dataset.x_train
    if dataset.scaling == "none":
        return np.zeros(()), np.ones(())
    if by_feature(dataset):
        mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        return mean, np.asarray(np.linalg.norm(deviation)) if dataset.scaling == "common" else deviation
    axes = _places(dataset)
    mean = x.mean(axis=axes, dtype=np.float64)
    square = sum(np.square(part - mean).sum(axis=axes) for part in np.array_split(x, -(-len(x) // 1024)))
    return mean, np.sqrt(square * mean.size / x.size)


def extremes(dataset: Dataset) -> tuple[float, float]:
    """The smallest and the largest number that `standardize` makes of the training rows, without making them.

    Args:
      dataset: see `standardize`.

    Returns:
      both.
    """
    x = dataset.x_train
    axes = 0 if by_feature(dataset) else _places(dataset)
    low, high = _places_of(dataset, x.min(axes).astype(np.float64), x.max(axes).astype(np.float64))
    return float(low.min()), float(high.max())


def pixel_ends(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Where `standardize` puts black and white: 0 and 255 of images of 8 bits, else the ends of the training images.

    Args:
      dataset: images; see `standardize`.

    Returns:
      two float32 arrays, of their channels or of no axes; both are 0 in a channel that never varies.
    """
    x = dataset.x_train
    low, high = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    black, white = _places_of(dataset, low, high)
    return black.astype(np.float32), white.astype(np.float32)


def constant(dataset: Dataset) -> np.ndarray:
    """What never varies in training, of the shape of `moments`: its deviation is 0, or the rounding of its values.

    Args:
      dataset: see `standardize`.

    Returns:
      booleans.
    """
    return _is_noise(dataset, *moments(dataset))


def by_feature(dataset: Dataset) -> bool:
    """Whether each feature has a mean of its own."""
    return dataset.scaling in ("feature", "common") or (dataset.scaling == "clipped" and dataset.x_train.ndim == 2)


def _places(dataset: Dataset) -> tuple[int, ...]:
    """The axes of the rows and of the places that share a mean and a deviation."""
    shape = dataset.x_train.shape[1:]
    own = len(shape) == 3 or (len(shape) == 2 and (dataset.scaling == "series" or is_series(shape)))
    return tuple(range(dataset.x_train.ndim - own))


def _places_of(dataset: Dataset, *numbers: np.ndarray | float) -> list[np.ndarray]:
    """What `standardize` makes of numbers, in each channel or feature."""
    mean, deviation = moments(dataset)
    varies = ~_is_noise(dataset, mean, deviation)
    scaled = [np.where(varies, (number - mean) / np.where(varies, deviation, 1.0), 0.0) for number in numbers]
    return [np.clip(x, -CLIP, CLIP) for x in scaled] if dataset.scaling == "clipped" else scaled


def _is_noise(dataset: Dataset, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Integers have no rounding: a large one may vary by little."""
    if dataset.scaling == "none":
        return np.zeros((), bool)
    if dataset.scaling == "common":
        deviation = dataset.x_train.std(axis=0, dtype=np.float64)
    share = 1e-12 if dataset.x_train.dtype.kind in "biu" else NOISE
    return np.asarray(deviation <= share * np.abs(mean))
