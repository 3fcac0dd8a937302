"""Checks of a config before anything is written."""

from experiments.strategies import STRATEGIES

POSITIVE_INTEGERS = (
    "num_classes", "seeds", "initial", "budget", "bald_samples", "width", "num_features", "batch_size", "epochs",
)  # fmt: skip
NON_NEGATIVE_INTEGERS = ("test_rows", "first_seed", "cycles", "depth", "workers")
POSITIVE_NUMBERS = ("spectral_bound", "kernel_scale", "ridge", "learning_rate")
NON_NEGATIVE_NUMBERS = ("lam", "weight_decay")
SHARES = ("minority_share", "minority_ratio", "momentum")
CHOICES = {"optimizer": ("sgd", "adam"), "parallel": ("auto", "processes", "vmap")}
OTHERS = ("dataset", "strategies")


def check_config(config: dict) -> None:
    """Refuses a config with a missing, unknown or impossible field.

    Args:
      config: the fields of a config file, as a dictionary.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    known = {*POSITIVE_INTEGERS, *NON_NEGATIVE_INTEGERS, *POSITIVE_NUMBERS, *NON_NEGATIVE_NUMBERS, *SHARES, *CHOICES, *OTHERS}
    for field in sorted(config.keys() ^ known):
        raise ValueError(f"config.{field}: {'unknown field' if field in config else 'missing'}")
    for field in POSITIVE_INTEGERS:
        _check(config, field, isinstance(config[field], int) and config[field] >= 1, "an integer of at least 1")
    for field in NON_NEGATIVE_INTEGERS:
        _check(config, field, isinstance(config[field], int) and config[field] >= 0, "an integer of at least 0")
    for field in POSITIVE_NUMBERS:
        _check(config, field, 0 < config[field] < float("inf"), "a finite number above 0")
    for field in NON_NEGATIVE_NUMBERS:
        _check(config, field, 0 <= config[field] < float("inf"), "a finite number of at least 0")
    for field in SHARES:
        _check(config, field, 0 <= config[field] <= 1, "a number between 0 and 1")
    for field, choices in CHOICES.items():
        _check(config, field, config[field] in choices, f"one of {', '.join(choices)}")
    strategies = config["strategies"]
    _check(config, "strategies", isinstance(strategies, (tuple, list)) and strategies, "a tuple of names")
    for name in strategies:
        if name not in STRATEGIES:
            raise ValueError(f"config.strategies: {name!r} is not one of {', '.join(STRATEGIES)}")
    _check(config, "strategies", len(set(strategies)) == len(strategies), "each name once")


def check_budget(config: dict, smallest_pool: int) -> None:
    """Refuses a run that would label more rows than its smallest pool has."""
    needed = config["initial"] + config["cycles"] * config["budget"]
    if needed > smallest_pool:
        raise ValueError(
            f"config.budget: {config['initial']} initial labels and {config['cycles']} cycles of "
            f"{config['budget']} need {needed} rows, the smallest pool has {smallest_pool}"
        )


def _check(config, field, condition, expected):
    if not condition:
        raise ValueError(f"config.{field}: expected {expected}, got {config[field]!r}")
