"""Images out of tensorflow-datasets: read without TensorFlow, which it needs only to prepare most of them."""

import numpy as np

from alfamous_jax.datasets.registry import Source

EXTRA = "pip install 'alfamous-jax[data]'"
ORDER = "Rows are in the order of {}: a seed draws other rows of an .npz file in another order."


def read(source: Source) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The arrays of a data set, and what was done to make them.

    tensorflow-datasets shuffles rows when it prepares them. They are put in an order that depends on nothing but the
    rows: by their names where they have any (CIFAR: the order of the published files), else by label and pixels.

    Args:
      source: of the registry; images of another size are cut to a square and scaled to its shape.

    Returns:
      x_train, y_train, x_test, y_test, and notes.

    Raises:
      FileNotFoundError: it is not prepared, and TensorFlow, which prepares it, is not installed.
      ValueError: another library that reads it is not installed.
    """
    assert source.tfds is not None
    try:
        import tensorflow_datasets

        builder = tensorflow_datasets.builder(source.tfds, file_format="array_record")
        try:
            builder.download_and_prepare()
        except ImportError as error:
            raise FileNotFoundError(
                f"dataset: tensorflow-datasets has not prepared {source.tfds!r} and cannot without TensorFlow "
                f"({' '.join(str(error).split())[-60:]}); pip install tensorflow, once; prepared data are read without"
            ) from error
        parts = {"train": "train", "test": "test" if "test" in builder.info.splits else "validation"}
        arrays: dict[str, np.ndarray] = {}
        named = True
        for part, split in parts.items():
            rows = list(builder.as_data_source(split=split))
            x = np.stack([_fitted(np.asarray(row["image"]), source.shape) for row in rows])
            y = np.array([row["label"] for row in rows], np.int32)
            named &= "id" in rows[0]
            keys = [
                row["id"] if named else (label, image.tobytes()) for row, label, image in zip(rows, y, x, strict=True)
            ]
            order = sorted(range(len(rows)), key=keys.__getitem__)
            arrays |= {f"x_{part}": x[order], f"y_{part}": y[order]}
    except ImportError as error:
        raise ValueError(
            f"dataset: tensorflow-datasets cannot read {source.tfds!r} without a library ({error}); {EXTRA}"
        ) from error
    return arrays, (ORDER.format("their names" if named else "their labels and pixels"),)


def _fitted(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The image at the size of the registry: the middle square, scaled."""
    if image.shape[:2] == shape[:2]:
        return image
    from PIL import Image

    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(square.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
