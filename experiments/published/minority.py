"""What minority-class-oriented sampling (Aggarwal et al., ICPR 2020) publishes: Table I and settings."""

from typing import NamedTuple

SEEDS = 5
RATIO = 0.813  # of ImageNet, whose profile the data sets take over
SETTINGS = {"initial": 500, "budget": 500, "cycles": 15}  # 16 rounds, the first at random
FINE_TUNING = {"learning_rate": 0.01, "decay": 0.1, "batch_size": 32, "epochs": 60, "plateau": 10}


class Induced(NamedTuple):
    """A data set made imbalanced."""

    classes: int
    images: int
    mean: float  # images per class
    deviation: float
    ratio: float  # deviation / mean


INDUCED = {  # Table I
    "food101": Induced(101, 22956, 227.28, 180.31, 0.793),
    "cifar100": Induced(100, 17168, 171.68, 126.98, 0.740),
    "mit67": Induced(67, 14281, 213.15, 168.16, 0.789),
}
