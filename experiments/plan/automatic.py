"""Fields that a config leaves to its data: the classes, how many rows are labelled, the network and its last layer."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

AUTO = "auto"
LABELS = ("initial", "budget", "cycles")  # fields that may be AUTO, as those of the network may
NETWORK = ("backbone", "head", "optimizer", "learning_rate")
CYCLES = 8
SHARE = 0.5  # of the pool that is labelled at most


class Labels(NamedTuple):
    """How many rows a run labels."""

    initial: int
    budget: int
    cycles: int


def is_open(config: Mapping) -> bool:
    """Whether a config leaves a field to its data; num_classes does so by 0, the others by "auto"."""
    return bool(open_fields(config))


def open_fields(config: Mapping) -> list[str]:
    """Those that a config leaves to its data."""
    found = [field for field in (*LABELS, *NETWORK) if _is(config.get(field), str, AUTO)]
    return ["num_classes"] * _is(config.get("num_classes"), int, 0) + found


def _is(value: object, kind: type, wanted: object) -> bool:
    return type(value) is kind and value == wanted


def labels(config: Mapping, num_rows: int, num_classes: int) -> Labels:
    """How many rows a run labels: about a percent of the pool in each of eight cycles, from 10 to 100.

    Args:
      config: a number in one of `LABELS` stays.
      num_rows: of the smallest pool.
      num_classes: the first labels are twice as many, or a budget if that is more.

    Returns:
      numbers that label at most half of the pool where they are free to.

    Raises:
      ValueError: the pool has less than 4 rows.
    """
    if num_rows < 4:
        raise ValueError(f"config.dataset: a run needs a pool of at least 4 rows, there are {num_rows}")
    most = int(SHARE * num_rows)
    initial, budget, cycles = (config[field] for field in LABELS)
    wanted = max(10, min(100, round(num_rows / 100))) if budget == AUTO else budget
    if initial == AUTO:
        initial = max(1, min(max(2 * num_classes, wanted), most // 2))
        if config["balanced_initial"]:
            initial = max(1, initial // num_classes) * num_classes
    if budget == AUTO:
        budget = max(1, min(wanted, (most - initial) // (CYCLES if cycles == AUTO else max(cycles, 1))))
    if cycles == AUTO:
        cycles = max(1, min(CYCLES, (most - initial) // budget))
    return Labels(initial, budget, cycles)


def backbone(row_shape: Sequence[int], series: bool = False) -> str:
    """The network for rows of a shape: none where they are features, a small one for images and for series."""
    if series:
        return "tcn"
    return "resnet6" if len(row_shape) in (2, 3) else "identity"


def training(backbone: str) -> dict[str, str | float]:
    """How a network is trained: one of series, which SGD makes diverge, by Adam."""
    optimizer, rate = ("adam", 1e-3) if backbone == "tcn" else ("sgd", 0.1)
    return {"optimizer": optimizer, "learning_rate": rate}


def head(backbone: str) -> str:
    """The last layer: an exact fit to rows that are features, a linear one over a network."""
    return "map" if backbone == "identity" else "linear"
