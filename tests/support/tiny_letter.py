"""A run of LETTER small enough for a test."""

from configs.letter import get_config
from experiments.plan.strategies import lanes_of

TINY = {"epochs": 2, "width": 8, "depth": 1, "num_features": 16, "bald_samples": 4, "initial": 26, "budget": 4}
TINY |= {"cycles": 2, "seeds": 2, "strategies": ("us", "us-alfamous")}


def tiny(**changes):
    return {**get_config().to_dict(), **TINY, **changes}


def lanes(*names, seed=0):
    return tuple(lanes_of(names, range(seed, seed + 1)))
