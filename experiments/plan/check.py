"""Checks of a config before anything is written: what every field must be, whatever the strategies are."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from experiments.plan.dotted import is_dotted
from experiments.plan.strategies import SCHEMES

LARGEST, SMALLEST = 3.4e38, 1.2e-38  # of float32
LONGEST = 120  # signs of a value in a message
PARALLEL = ("auto", "processes", "vmap", "pool")
MINORITIES = ("drawn", "last")
Rule = tuple[tuple[str, ...], str, Callable[[Any], bool]]


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    """Finite as a float32, which is what is computed with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def _positive(value: Any) -> bool:
    return _number(value) and value >= SMALLEST


def _text(value: Any, longest: int = 1000) -> bool:
    return isinstance(value, str) and len(value) <= longest


def _names(value: Any) -> bool:
    return _sequence(value) and all(_text(x) for x in value) and len(value) == len(set(value))


def _short(names: Sequence[str]) -> bool:
    return all(len(name) <= 200 for name in names)  # they are those of files too


def _sequence(value: Any) -> bool:
    return isinstance(value, (tuple, list))


def _whole_numbers(value: Any) -> bool:
    return _sequence(value) and all(_integer(x) and 0 <= x < 2**31 for x in value)


def _is(value: object, word: str) -> bool:
    return isinstance(value, str) and value == word


def _falls(values: Sequence[float]) -> bool:
    return len(values) > 0 and list(values) == sorted(set(values), reverse=True)


def between(least: int, most: int, *fields: str) -> Rule:
    """Fields that are integers; the largest is what no run can want, and would be waited for without a word."""
    return fields, f"an integer from {least} to {most:,}", lambda v: _integer(v) and least <= v <= most


def shown(value: object) -> str:
    """A value as a message quotes it."""
    try:
        text = repr(value)
    except Exception as error:  # an integer of thousands of digits, or an object of the user's own
        return f"a {type(value).__name__} that cannot be written ({type(error).__name__})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 20]}... ({len(text):,} signs)"


def one_of(field: str, known: Sequence[str], dotted: bool = False) -> Rule:
    """A field with some values, or MODULE:ATTRIBUTE of the user's own where that is taken."""
    expected = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}" + ", or MODULE:ATTRIBUTE" * dotted
    return (field,), expected, lambda v: isinstance(v, str) and (v in known or (dotted and is_dotted(v)))


# What each field must be, in words and as a test; `check_config` gets those that another room has the values of.
RULES: tuple[Rule, ...] = (
    (("dataset", "source"), "a name or a path of up to 1,000 signs", _text),
    (("label_column",), "the name of a column, or '', of up to 1,000 signs", _text),
    (("classes",), "a tuple of different names, or ()", _names),
    (("strategies",), "a tuple of different names, as in random,us", lambda v: _names(v) and len(v) > 0 and _short(v)),
    between(1, 10**6, "num_classes", "vae_steps", "epochs", "vabal.epochs"),
    between(1, 10**5, "width", "num_features", "batch_size", "num_samples", "vabal.num_samples"),
    between(1, 200, "seeds"),
    between(1, 1000, "snapshots", "copies"),
    between(1, 2**31 - 1, "initial", "budget"),
    (
        ("split_seed", "first_seed"),
        "an integer from 0 to 2**32 - 1",
        lambda v: _integer(v) and 0 <= v < 2**32,  # of a larger one JAX takes the last 32 bits
    ),
    between(0, 2**31 - 1, "test_rows", "cycles", "pool_subset"),
    between(0, 10**5, "workers", "bald_samples", "plateau"),
    between(0, 100, "depth"),
    between(0, 10**6, "unseen"),
    between(2, 1000, "folds"),
    (
        ("kernel_scale", "learning_rate", "svm_cost", "vabal.learning_rate"),
        "a finite number above 0",
        _positive,
    ),
    (
        ("weight_decay", "spectral_bound", "source_ratio", "class_mean", "vabal.weight", "vabal.kl_weight"),
        "a finite number of at least 0",
        lambda v: _number(v) and v >= 0,
    ),
    (("ridge",), "a finite number above 0 or 'auto'", lambda v: _is(v, "auto") or _positive(v)),
    (
        ("ridges",),
        "a tuple of falling numbers above 0",
        lambda v: _sequence(v) and all(_positive(x) for x in v) and _falls(v),
    ),
    (("maps",), "a tuple of different names", lambda v: _names(v) and len(v) > 0),
    (("lam",), "a finite number of at least 0 or 'auto'", lambda v: _is(v, "auto") or (_number(v) and v >= 0)),
    (
        ("lam_grid",),
        "a tuple of different numbers above 0",
        lambda v: _sequence(v) and all(_positive(x) for x in v) and 0 < len(v) == len(set(v)),
    ),
    (("dropout", "validation", "label_noise"), "a number from 0 to below 1", lambda v: _number(v) and 0 <= v < 1),
    (
        ("milestones", "vabal.milestones"),
        "a rising tuple of integers above 0",
        lambda v: _whole_numbers(v) and list(v) == sorted({*v} - {0}) and all(x <= 10**6 for x in v),
    ),
    (
        ("lams",),
        "strategy names with finite numbers of at least 0",
        lambda v: (
            isinstance(v, Mapping) and all(isinstance(name, str) and _number(x) and x >= 0 for name, x in v.items())
        ),
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
        (
            "balanced_initial",
            "count_cycle",
            "implicit_update",
            "posterior",
            "refit",
            "shrink_lam",
            "vabal.mask_in_training",
            "vabal.batch_norm",
        ),
        "True or False",
        lambda v: isinstance(v, bool),
    ),
    one_of("parallel", PARALLEL),
)


def as_tuples(config: Mapping) -> dict:
    """The fields with tuples in the place of lists, of which a frozen config takes none that is empty."""
    return {
        name: tuple(value) if isinstance(value, list) else as_tuples(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
    }


def check_config(config: Mapping, *others: Rule) -> None:
    """Refuses a config with a missing, unknown or impossible field.

    Args:
      config: the fields of a config file, as a dictionary.
      others: rules of fields whose values are known elsewhere.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    check_fields(config, *others)
    check_minority(config)
    if 0 < config["pool_subset"] < config["budget"]:
        raise ValueError(
            f"config.pool_subset: must be 0 or at least config.budget {config['budget']}, got {config['pool_subset']}"
        )
    if config["balanced_initial"] and config["initial"] % config["num_classes"]:
        raise ValueError(
            f"config.initial: {config['initial']} labels cannot be as many for each of {config['num_classes']} classes"
        )
    if config["start"] != "random" and (config["backbone"] != "identity" or config["balanced_initial"]):
        raise ValueError(
            f"config.start: needs rows that are features, config.backbone 'identity', and goes without "
            f"config.balanced_initial, got {config['start']!r} for {config['backbone']!r}"
        )
    if config["unseen"] and (config["balanced_initial"] or config["unseen"] >= config["num_classes"]):
        raise ValueError(
            f"config.unseen: must be below the {config['num_classes']} classes and goes without "
            f"config.balanced_initial, got {config['unseen']}"
        )
    if config["profile"] == "exponential" and (config["num_classes"] < 2 or not config["minority_ratio"]):
        raise ValueError("config.profile: 'exponential' needs two classes and config.minority_ratio above 0")
    if config["profile"] == "transfer" and not (config["class_mean"] and isinstance(config["minority"], str)):
        raise ValueError("config.profile: 'transfer' needs config.class_mean above 0 and no tuple in config.minority")
    if config["plateau"] and (config["milestones"] or not 0 < config["decay"] < 1):
        raise ValueError(
            "config.plateau: the rate falls where the loss stays, which needs config.milestones () and config.decay "
            f"between 0 and 1, got {config['milestones']!r} and {config['decay']}"
        )
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
            raise ValueError(
                f"config.{field}: config.head 'map' trains no network and needs {only!r}, got {shown(got)}"
            )
    if config["parallel"] == "pool":
        raise ValueError("config.parallel: config.head 'map' needs the whole pool on one device, got 'pool'")


def check_fields(config: Mapping, *others: Rule, open_fields: Collection[str] = ()) -> None:
    """Refuses a missing or unknown field and an impossible value, each on its own.

    Args:
      config: the fields of a config file.
      others: rules of fields whose values are known elsewhere.
      open_fields: whose values are not looked at, as the data will tell them.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    rules = (*RULES, *others)
    known = {field for fields, _, _ in rules for field in fields}
    given = {name: value for name, value in config.items() if name != "vabal"}
    vabal = config.get("vabal", {})
    if not isinstance(vabal, Mapping):
        raise ValueError(f"config.vabal: expected fields, as configs/base.py has them, got {shown(vabal)}")
    given |= {f"vabal.{name}": value for name, value in vabal.items()}
    for field in sorted(given.keys() ^ known, key=str):
        raise ValueError(f"config.{field}: {'unknown field' if field in given else 'missing'}")
    _check_values({name: value for name, value in given.items() if name not in open_fields}, rules)
    check_seeds(config)


def check_seeds(config: Mapping) -> None:
    """Refuses seeds beyond the 32 bits of a seed, where those from 0 on come again."""
    if config["first_seed"] + config["seeds"] > 2**32:
        raise ValueError(
            f"config.first_seed: {config['seeds']} seeds from {config['first_seed']} on lead beyond 2**32 - 1"
        )


def check_minority(config: Mapping) -> None:
    """Refuses classes to cut that there are not."""
    if not isinstance(config["minority"], str) and any(x >= config["num_classes"] for x in config["minority"]):
        raise ValueError(f"config.minority: {config['num_classes']} classes, got {config['minority']!r}")


def _check_values(given: Mapping, rules: Iterable[Rule]) -> None:
    for fields, expected, is_right in rules:
        for field in fields:
            if field in given and not is_right(given[field]):
                raise ValueError(f"config.{field}: expected {expected}, got {shown(given[field])}")


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
