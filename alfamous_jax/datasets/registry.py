"""The data sets of the papers: what each is, how it is split and scaled, and where it may lie."""

from typing import NamedTuple


class Source(NamedTuple):
    """A data set that is known by name."""

    num_classes: int
    shape: tuple[int, ...]  # of one row
    num_rows: int  # as published, training and test rows together
    split: str  # "source": as it comes; "last": the last `test_rows` are tested; "spread": as many, evenly over the
    # rows; "halves": every second row of all
    scaling: str  # "feature": each of its own; "channel": one mean and deviation for all places of an image or series
    files: tuple[str, ...]  # stems of .npz files, in the order they are tried
    ucr: str | None = None  # name in the UCR archive
    tfds: str | None = None  # name in tensorflow-datasets
    test_rows: int = 0


SOURCES = {
    "letter": Source(26, (16,), 20_000, "last", "feature", ("letter",), test_rows=5_000),
    "mnist": Source(10, (28, 28), 70_000, "source", "channel", ("mnist",), tfds="mnist"),
    "fmnist": Source(10, (28, 28), 70_000, "source", "channel", ("fmnist", "fashion_mnist"), tfds="fashion_mnist"),
    "cifar10": Source(10, (32, 32, 3), 60_000, "source", "channel", ("cifar10",), tfds="cifar10"),
    "cifar100": Source(100, (32, 32, 3), 60_000, "source", "channel", ("cifar100",), tfds="cifar100"),
    # Photographs of many sizes, as published; the middle square at 64 x 64.
    "food101": Source(101, (64, 64, 3), 101_000, "source", "channel", ("food101",), tfds="food101"),
    "neu": Source(9, (64, 64), 7_226, "spread", "channel", ("neu",), test_rows=1_448),
    "crop": Source(24, (46,), 24_000, "halves", "channel", ("crop",), ucr="Crop"),
    "electric_devices": Source(7, (96,), 16_637, "halves", "channel", ("electric_devices",), ucr="ElectricDevices"),
    "ecg5000": Source(5, (140,), 5_000, "halves", "channel", ("ecg5000",), ucr="ECG5000"),
}
