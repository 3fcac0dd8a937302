"""What AL-FaMoUS (Huang et al., IAL@ECML-PKDD 2023) publishes: Tables 1 to 4 and single claims of its text."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.published._csv import rows

TITLES = {
    "letter": "LETTER",
    "mnist": "MNIST",
    "fmnist": "FMNIST",
    "cifar10": "CIFAR10",
    "crop": "CROP",
    "electric_devices": "E-DEVICE",
    "ecg5000": "ECG5000",
}
IMAGES = ("mnist", "fmnist", "cifar10")  # Table 2 takes features of a pretrained ResNet-50 there
SEEDS = 10
SETTINGS = ("initial", "budget", "cycles", "lam", "epochs")
PAPER_SETTINGS = {
    "letter": (32, 32, 20, 0.1, 100),
    "mnist": (100, 100, 7, 0.5, 100),
    "fmnist": (100, 100, 10, 0.1, 200),
    "cifar10": (300, 300, 20, 0.5, 200),
    "crop": (100, 100, 6, 0.5, 100),
    "electric_devices": (100, 100, 30, 0.05, 150),
    "ecg5000": (50, 50, 6, 0.05, 100),
}
TRAINING = ("kernel_scale", "batch_size", "optimizer", "learning_rate")  # also of Table 3
PAPER_TRAINING = {
    "letter": (8.0, 16, "sgd", 0.05),
    "mnist": (1.0, 20, "sgd", 0.1),
    "fmnist": (5.0, 20, "sgd", 0.1),
    "cifar10": (5.0, 20, "sgd", 0.1),
    "crop": (2.0, 10, "adam", 0.001),
    "electric_devices": (2.0, 20, "adam", 0.001),
    "ecg5000": (1.0, 10, "adam", 0.001),
}
# What the paper does not say: from the code of the fast update that it cites. SGD has Nesterov's momentum there, and
# every rate is a cosine to 0. Of series that code has nothing: the bound of the images and no weight decay are ours.
CODE_SETTINGS: dict[str, object] = {"num_features": 1024, "momentum": 0.9, "milestones": (), "plateau": 0, "ridge": 1.0}
CODE_TRAINING = ("weight_decay", "spectral_bound", "augment")
_SERIES = (0.0, 6.0, "none")
CODE_SETTINGS_OF = {
    "letter": (1e-3, 1.0, "none"),
    "mnist": (3e-4, 6.0, "affine"),
    "fmnist": (3e-4, 6.0, "affine"),
    "cifar10": (3e-4, 6.0, "flip_and_crop"),
    "crop": _SERIES,
    "electric_devices": _SERIES,
    "ecg5000": _SERIES,
}


class Claim(NamedTuple):
    """A claim of the text on one comparison: first minus second."""

    dataset: str
    first: str
    second: str
    metric: str
    statistic: str  # "mean" over the cycles; "peak", the largest along the curve; "labels", second to first
    level: float  # what "labels" have to reach, else NaN
    claimed: str  # points of accuracy or F1, a ratio of labels, or a bare sign where the text has no number
    sentence: str

    @property
    def sign(self) -> int:
        """Which way the difference goes."""
        return -1 if self.claimed.startswith("-") else 1


def counterpart(config: Mapping[str, Any]) -> str:
    """The data set of AL-FaMoUS whose numbers a run stands beside; "" where cut, features or training are others."""
    usual = {"minority": "drawn", "profile": "step", "scheme": "network", "balanced_initial": False}
    other = any(config.get(field, value) != value for field, value in usual.items())
    return "" if other or config.get("backbone") == "identity" else config.get("dataset", "")


def load_results(dataset: str) -> dict[str, dict[str, float]]:
    """Tables 1 and 4, strategy -> metric -> value; empty for a dataset the paper lacks."""
    metrics = ("accuracy", "macro_f1", "cbi")
    own = [row for row in rows("alfamous_results.csv") if row["dataset"] == dataset]
    return {row["strategy"]: {metric: float(row[metric]) for metric in metrics} for row in own}


def load_diversity(dataset: str) -> dict[str, float]:
    """Euclidean diversity of Table 2, strategy -> value relative to its baseline, which is 0."""
    own = [row for row in rows("alfamous_diversity.csv") if row["dataset"] == dataset]
    return {"us": 0.0, "bald": 0.0, **{row["strategy"]: float(row["euclidean"]) for row in own}} if own else {}


def load_claims() -> list[Claim]:
    """The claims in `alfamous_claims.csv`."""
    texts = ("dataset", "first", "second", "metric", "statistic", "claimed", "sentence")
    return [
        Claim(**{field: row[field] for field in texts}, level=float(row["level"] or "nan"))
        for row in rows("alfamous_claims.csv")
    ]


def difference(dataset: str, first: str, second: str, metric: str) -> float:
    """First strategy minus second as published, without the noise of binary fractions; NaN where it is not."""
    if metric == "ed_diversity":
        values = load_diversity(dataset)
        if first.partition("-")[0] != second.partition("-")[0]:
            return math.nan
    else:
        values = {name: row.get(metric, math.nan) for name, row in load_results(dataset).items()}
    return round(values.get(first, math.nan) - values.get(second, math.nan), 6)


def other_settings(config: Mapping[str, Any], cycles: int) -> list[str]:
    """What a run has set otherwise than the paper, such as "epochs 5 (paper 100)".

    Args:
      config: of the run; a field that it lacks is no difference.
      cycles: how many it has come to.

    Returns:
      one phrase per setting.
    """
    published = dict(zip(SETTINGS, PAPER_SETTINGS.get(counterpart(config), ()), strict=False))
    run = {**config, "cycles": cycles}
    return [f"{key} {run[key]} (paper {value})" for key, value in published.items() if run.get(key, value) != value]
