"""Checks of a config before anything is written."""

from experiments.strategies import strategy


def _integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value):
    return isinstance(value, (int, float)) and abs(value) < float("inf")


# What each field must be, in words and as a test.
RULES = (
    (("dataset",), "a name or a path", lambda v: isinstance(v, str)),
    (
        ("strategies",),
        "a tuple of different names",
        lambda v: isinstance(v, (tuple, list)) and 0 < len(v) == len(set(v)),
    ),
    (
        ("num_classes", "seeds", "initial", "budget", "bald_samples", "width", "num_features", "batch_size", "epochs"),
        "an integer of at least 1",
        lambda v: _integer(v) and v >= 1,
    ),
    (
        ("test_rows", "first_seed", "cycles", "depth", "workers"),
        "an integer of at least 0",
        lambda v: _integer(v) and v >= 0,
    ),
    (
        ("spectral_bound", "kernel_scale", "ridge", "learning_rate"),
        "a finite number above 0",
        lambda v: _number(v) and v > 0,
    ),
    (("weight_decay",), "a finite number of at least 0", lambda v: _number(v) and v >= 0),
    (("lam",), "a finite number of at least 0 or 'auto'", lambda v: v == "auto" or (_number(v) and v >= 0)),
    (
        ("lam_grid",),
        "a tuple of different numbers above 0",
        lambda v: isinstance(v, (tuple, list)) and all(_number(x) and x > 0 for x in v) and 0 < len(v) == len(set(v)),
    ),
    (
        ("minority_share", "minority_ratio", "momentum"),
        "a number between 0 and 1",
        lambda v: _number(v) and 0 <= v <= 1,
    ),
    (("optimizer",), "'sgd' or 'adam'", lambda v: v in ("sgd", "adam")),
    (("parallel",), "'auto', 'processes' or 'vmap'", lambda v: v in ("auto", "processes", "vmap")),
)


def check_config(config: dict) -> None:
    """Refuses a config with a missing, unknown or impossible field.

    Args:
      config: the fields of a config file, as a dictionary.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    known = {field for fields, _, _ in RULES for field in fields}
    for field in sorted(config.keys() ^ known):
        raise ValueError(f"config.{field}: {'unknown field' if field in config else 'missing'}")
    for fields, expected, is_right in RULES:
        for field in fields:
            if not is_right(config[field]):
                raise ValueError(f"config.{field}: expected {expected}, got {config[field]!r}")
    for name in config["strategies"]:
        try:
            size = strategy(name).minibatch
        except ValueError as error:
            raise ValueError(f"config.strategies: {error}") from None
        if size is not None and config["budget"] % size:
            raise ValueError(f"config.strategies: {name!r}: {size} does not divide config.budget {config['budget']}")


def check_budget(config: dict, smallest_pool: int) -> None:
    """Refuses a run that would label more rows than its smallest pool has."""
    needed = config["initial"] + config["cycles"] * config["budget"]
    if needed > smallest_pool:
        raise ValueError(
            f"config.budget: {config['initial']} initial labels and {config['cycles']} cycles of "
            f"{config['budget']} need {needed} rows, the smallest pool has {smallest_pool}"
        )
