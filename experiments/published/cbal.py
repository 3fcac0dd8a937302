"""What class-balanced AL (CBAL; Bengar et al., WACV 2022) publishes: settings of section 5, gains of Tables 1 to 3."""

from collections.abc import Mapping
from typing import Any

from experiments.published._csv import rows

RATIOS = (1.0, 0.3, 0.1)  # the imbalance factors
SEEDS = 3
_CIFAR = {
    "initial": 5000,
    "budget": 2500,
    "learning_rate": 0.02,
    "momentum": 0.9,
    "epochs": 100,
    "milestones": (60, 80),
    "decay": 0.5,
}
PAPER_SETTINGS: dict[str, dict[str, object]] = {
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "tiny_imagenet": {
        "initial": 9000,
        "budget": 4500,
        "learning_rate": 0.01,
        "momentum": 0.9,
        "epochs": 30,
        "milestones": (10, 15, 20, 25),
        "decay": 0.5,
    },
}
# What the paper does not say, from its authors' code; lam is that of entropy, the other of k-center.
_CODE = {"batch_size": 256, "weight_decay": 5e-4, "lam_kcenter": 0.5}
CODE_SETTINGS: dict[str, dict[str, object]] = {"cifar10": {**_CODE, "lam": 0.6}, "cifar100": {**_CODE, "lam": 2.0}}


def load_gains(config: Mapping[str, Any]) -> dict[str, list[float]]:
    """Tables 1 to 3, plain strategy -> points at cycles 1 to 4; empty for other settings than theirs."""
    step = config.get("profile") == "step" and config.get("minority") == "last" and config.get("balanced_initial")
    key = config.get("dataset"), config.get("minority_ratio")
    own = [row for row in rows("cbal.csv") if step and (row["dataset"], float(row["ratio"])) == key]
    return {row["strategy"]: [float(row[f"cycle{cycle}"]) for cycle in range(1, 5)] for row in own}
