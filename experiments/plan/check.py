"""Checks of a config before anything is written: what every field must be, whatever the strategies are."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from experiments.plan.dotted import is_dotted
from experiments.plan.strategies import SCHEMES

PARALLEL = ("auto", "processes", "vmap", "pool")
MINORITIES = ("drawn", "last")
Rule = tuple[tuple[str, ...], str, Callable[[Any], bool]]


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < float("inf")


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(_integer(x) and x >= 0 for x in value)


def _falls(values: Sequence[float]) -> bool:
    return len(values) > 0 and list(values) == sorted(set(values), reverse=True)


def at_least(least: int, *fields: str) -> Rule:
    """Fields that are integers from some number on."""
    return fields, f"an integer of at least {least}", lambda v: _integer(v) and v >= least


def one_of(field: str, known: Sequence[str], dotted: bool = False) -> Rule:
    """A field with some values, or MODULE:ATTRIBUTE of the user's own where that is taken."""
    expected = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}" + ", or MODULE:ATTRIBUTE" * dotted
    return (field,), expected, lambda v: isinstance(v, str) and (v in known or (dotted and is_dotted(v)))


# What each field must be, in words and as a test; `check_config` gets those that another room has the values of.
RULES: tuple[Rule, ...] = (
    (("dataset", "source"), "a name or a path", lambda v: isinstance(v, str)),
    (("label_column",), "the name of a column, or ''", lambda v: isinstance(v, str)),
    (
        ("classes",),
        "a tuple of different names, or ()",
        lambda v: isinstance(v, (tuple, list)) and all(isinstance(x, str) for x in v) and len(v) == len(set(v)),
    ),
    (
        ("strategies",),
        "a tuple of different names",
        lambda v: isinstance(v, (tuple, list)) and 0 < len(v) == len(set(v)) and all(isinstance(x, str) for x in v),
    ),
    at_least(1, "num_classes", "snapshots", "seeds", "num_samples", "vae_steps", "initial", "budget", "width"),
    at_least(1, "num_features", "batch_size", "epochs", "vabal.epochs", "vabal.num_samples"),
    (
        ("split_seed", "first_seed"),
        "an integer from 0 to 2**32 - 1",
        lambda v: _integer(v) and 0 <= v < 2**32,  # of a larger one JAX takes the last 32 bits
    ),
    at_least(0, "test_rows", "cycles", "depth", "workers", "pool_subset", "bald_samples"),
    at_least(2, "folds"),
    (
        ("kernel_scale", "learning_rate", "svm_cost", "vabal.learning_rate"),
        "a finite number above 0",
        lambda v: _number(v) and v > 0,
    ),
    (
        ("weight_decay", "spectral_bound", "source_ratio", "class_mean", "vabal.weight", "vabal.kl_weight"),
        "a finite number of at least 0",
        lambda v: _number(v) and v >= 0,
    ),
    (("ridge",), "a finite number above 0 or 'auto'", lambda v: v == "auto" or (_number(v) and v > 0)),
    (
        ("ridges",),
        "a tuple of falling numbers above 0",
        lambda v: isinstance(v, (tuple, list)) and all(_number(x) and x > 0 for x in v) and _falls(v),
    ),
    (
        ("maps",),
        "a tuple of different names",
        lambda v: isinstance(v, (tuple, list)) and 0 < len(v) == len(set(v)) and all(isinstance(x, str) for x in v),
    ),
    (("lam",), "a finite number of at least 0 or 'auto'", lambda v: v == "auto" or (_number(v) and v >= 0)),
    (
        ("lam_grid",),
        "a tuple of different numbers above 0",
        lambda v: isinstance(v, (tuple, list)) and all(_number(x) and x > 0 for x in v) and 0 < len(v) == len(set(v)),
    ),
    (("dropout",), "a number from 0 to below 1", lambda v: _number(v) and 0 <= v < 1),
    (
        ("milestones", "vabal.milestones"),
        "a rising tuple of integers above 0",
        lambda v: _whole_numbers(v) and list(v) == sorted({*v} - {0}),
    ),
    (
        ("lams",),
        "strategy names with finite numbers of at least 0",
        lambda v: isinstance(v, Mapping) and all(_number(x) and x >= 0 for x in v.values()),
    ),
    (
        ("minority_share", "minority_ratio", "momentum", "decay"),
        "a number between 0 and 1",
        lambda v: _number(v) and 0 <= v <= 1,
    ),
    one_of("scheme", SCHEMES),
    (
        ("minority",),
        "'drawn', 'last' or a tuple of different classes",
        lambda v: v in MINORITIES if isinstance(v, str) else _whole_numbers(v) and len(v) == len(set(v)),
    ),
    (
        ("balanced_initial", "refit", "vabal.mask_in_training", "vabal.batch_norm"),
        "True or False",
        lambda v: isinstance(v, bool),
    ),
    one_of("parallel", PARALLEL),
)


def check_config(config: Mapping, *others: Rule) -> None:
    """Refuses a config with a missing, unknown or impossible field.

    Args:
      config: the fields of a config file, as a dictionary.
      others: rules of fields whose values are known elsewhere.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    rules = (*RULES, *others)
    known = {field for fields, _, _ in rules for field in fields}
    given = {name: value for name, value in config.items() if name != "vabal"}
    given |= {f"vabal.{name}": value for name, value in config.get("vabal", {}).items()}
    for field in sorted(given.keys() ^ known):
        raise ValueError(f"config.{field}: {'unknown field' if field in given else 'missing'}")
    _check_values(given, rules)
    check_minority(config)
    if 0 < config["pool_subset"] < config["budget"]:
        raise ValueError(
            f"config.pool_subset: must be 0 or at least config.budget {config['budget']}, got {config['pool_subset']}"
        )
    if config["balanced_initial"] and config["initial"] % config["num_classes"]:
        raise ValueError(
            f"config.initial: {config['initial']} labels cannot be as many for each of {config['num_classes']} classes"
        )
    if config["profile"] == "exponential" and (config["num_classes"] < 2 or not config["minority_ratio"]):
        raise ValueError("config.profile: 'exponential' needs two classes and config.minority_ratio above 0")
    if config["profile"] == "transfer" and not (config["class_mean"] and isinstance(config["minority"], str)):
        raise ValueError("config.profile: 'transfer' needs config.class_mean above 0 and no tuple in config.minority")
    if config["ridge"] == "auto" and not config["refit"] and config["head"] != "map":
        raise ValueError("config.ridge: 'auto' needs config.refit or config.head 'map', whose fit has a ridge")
    if config["head"] == "map":
        _check_map(config)
    if config["source"] and config["backbone"] == "identity":
        raise ValueError("config.source: 'identity' has no parameters to start from; choose another config.backbone")


def _check_map(config: Mapping) -> None:
    """Refuses what a head without a network cannot do."""
    for field, only in (("backbone", "identity"), ("augment", "none"), ("dropout", 0), ("source", "")):
        if config[field] != only:
            got = config[field]
            raise ValueError(f"config.{field}: config.head 'map' trains no network and needs {only!r}, got {got!r}")
    if config["parallel"] == "pool":
        raise ValueError("config.parallel: config.head 'map' needs the whole pool on one device, got 'pool'")


def check_fields(config: Mapping, fields: Collection[str]) -> None:
    """Refuses an impossible value in some fields; a config that is open may have 0 for num_classes.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    for field in fields:
        if field not in config:
            raise ValueError(f"config.{field}: missing")
    given = {field: config[field] for field in fields if config[field] != 0 or field != "num_classes"}
    _check_values(given, RULES)


def check_minority(config: Mapping) -> None:
    """Refuses classes to cut that there are not."""
    if not isinstance(config["minority"], str) and any(x >= config["num_classes"] for x in config["minority"]):
        raise ValueError(f"config.minority: {config['num_classes']} classes, got {config['minority']!r}")


def _check_values(given: Mapping, rules: Iterable[Rule]) -> None:
    for fields, expected, is_right in rules:
        for field in fields:
            if field in given and not is_right(given[field]):
                raise ValueError(f"config.{field}: expected {expected}, got {given[field]!r}")


def check_budget(config: Mapping, smallest_pool: int) -> None:
    """Refuses a run that would label more rows than its smallest pool has."""
    needed = config["initial"] + config["cycles"] * config["budget"]
    if needed > smallest_pool:
        raise ValueError(
            f"config.budget: {config['initial']} initial labels and {config['cycles']} cycles of "
            f"{config['budget']} need {needed} rows, the smallest pool has {smallest_pool}"
        )


def check_inputs(config: Mapping, row_shape: tuple[int, ...]) -> None:
    """Refuses a backbone or an augmentation that cannot take rows of this shape."""
    images = len(row_shape) in (2, 3)
    if config["backbone"].startswith("resnet") and not images:
        raise ValueError(f"config.backbone: {config['backbone']!r} takes images, the rows have shape {row_shape}")
    if config["backbone"] == "tcn" and len(row_shape) > 2:
        raise ValueError(f"config.backbone: 'tcn' takes series, the rows have shape {row_shape}")
    if config["augment"] != "none" and not images:
        raise ValueError(f"config.augment: {config['augment']!r} takes images, the rows have shape {row_shape}")
    if config["augment"] != "none" and config["scaling"] in ("feature", "common", "series"):
        raise ValueError(
            f"config.scaling: images that are augmented need one scale for all places, got {config['scaling']!r}"
        )
