"""What VaB-AL (Choi et al., CVPR 2021) publishes: settings of section 4, accuracies of Tables 1 and 2."""

from collections.abc import Mapping
from typing import Any

from experiments.published._csv import rows

SEEDS = 3
LABELS = {"cifar10": (500, 6), "cifar100": (1000, 5), "neu": (250, 5)}  # of a round, and rounds, the first at random
TRAINING = {
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "batch_size": 128,
    "epochs": 200,
    "milestones": (160,),
    "decay": 0.1,
    "dropout": 0.25,  # of BALD alone
}
AUTOENCODER = {"learning_rate": 1e-4, "epochs": 20, "weight": 0.005, "num_samples": 100}


def load_accuracies(config: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Tables 1 and 2: strategy -> accuracy in %, mean over the rounds and last; empty for other splits."""
    minority, num_classes = config.get("minority"), config.get("num_classes", 0)
    if not isinstance(minority, (list, tuple)):
        return {}
    whole = sorted({*range(num_classes)} - {*minority})
    split = f"+{whole[0] + 1}" if len(whole) == 1 else "" if not minority else None
    key = config.get("dataset"), split
    own = [row for row in rows("vabal.csv") if (row["dataset"], row["split"]) == key]
    return {row["strategy"]: (float(row["mean"]), float(row["last"])) for row in own}
