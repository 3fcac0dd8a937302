"""Checks of a config before anything is written."""

from collections.abc import Mapping

from experiments.plan.strategies import NETWORKS, SCHEMES, SPLIT, STRATEGIES, lam_of, scheme_of, strategy


def _integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value):
    return isinstance(value, (int, float)) and abs(value) < float("inf")


def _whole_numbers(value):
    return isinstance(value, (tuple, list)) and all(_integer(x) and x >= 0 for x in value)


# What each field must be, in words and as a test.
RULES = (
    (("dataset", "source"), "a name or a path", lambda v: isinstance(v, str)),
    (
        ("strategies",),
        "a tuple of different names",
        lambda v: isinstance(v, (tuple, list)) and 0 < len(v) == len(set(v)),
    ),
    (
        (
            "num_classes",
            "snapshots",
            "seeds",
            "num_samples",
            "vae_steps",
            "initial",
            "budget",
            "width",
            "num_features",
            "batch_size",
            "epochs",
            "vabal.epochs",
            "vabal.num_samples",
        ),
        "an integer of at least 1",
        lambda v: _integer(v) and v >= 1,
    ),
    (
        ("test_rows", "first_seed", "cycles", "depth", "workers", "pool_subset", "bald_samples"),
        "an integer of at least 0",
        lambda v: _integer(v) and v >= 0,
    ),
    (("folds",), "an integer of at least 2", lambda v: _integer(v) and v >= 2),
    (
        ("kernel_scale", "ridge", "learning_rate", "svm_cost", "vabal.learning_rate"),
        "a finite number above 0",
        lambda v: _number(v) and v > 0,
    ),
    (
        ("weight_decay", "spectral_bound", "source_ratio", "class_mean", "vabal.weight", "vabal.kl_weight"),
        "a finite number of at least 0",
        lambda v: _number(v) and v >= 0,
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
    (("optimizer",), "'sgd' or 'adam'", lambda v: v in ("sgd", "adam")),
    (("scaling",), "'auto', 'feature', 'channel' or 'none'", lambda v: v in ("auto", "feature", "channel", "none")),
    (
        ("backbone",),
        "'mlp', 'tcn', 'resnet6', 'resnet18' or 'identity'",
        lambda v: v in ("mlp", "tcn", "resnet6", "resnet18", "identity"),
    ),
    (("head",), "'sngp' or 'linear'", lambda v: v in ("sngp", "linear")),
    (("augment",), "'none', 'affine' or 'flip_and_crop'", lambda v: v in ("none", "affine", "flip_and_crop")),
    (("profile",), "'step', 'exponential' or 'transfer'", lambda v: v in ("step", "exponential", "transfer")),
    (("pool_dtype",), "'float32' or 'bfloat16'", lambda v: v in ("float32", "bfloat16")),
    (("scheme",), f"one of {', '.join(SCHEMES)}", lambda v: v in SCHEMES),
    (
        ("minority",),
        "'drawn', 'last' or a tuple of different classes",
        lambda v: v in ("drawn", "last") if isinstance(v, str) else _whole_numbers(v) and len(v) == len(set(v)),
    ),
    (("vabal.constraint",), "'square', 'absolute' or 'sigmoid'", lambda v: v in ("square", "absolute", "sigmoid")),
    (("vabal.likelihood",), "'exp', 'inverse' or 'loss'", lambda v: v in ("exp", "inverse", "loss")),
    (("vabal.prior_from",), "'labelled' or 'available'", lambda v: v in ("labelled", "available")),
    (
        ("balanced_initial", "vabal.mask_in_training", "vabal.batch_norm"),
        "True or False",
        lambda v: isinstance(v, bool),
    ),
    (
        ("parallel",),
        "'auto', 'processes', 'vmap' or 'pool'",
        lambda v: v in ("auto", "processes", "vmap", "pool"),
    ),
)


def check_config(config: dict) -> None:
    """Refuses a config with a missing, unknown or impossible field.

    Args:
      config: the fields of a config file, as a dictionary.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    known = {field for fields, _, _ in RULES for field in fields}
    given = {name: value for name, value in config.items() if name != "vabal"}
    given |= {f"vabal.{name}": value for name, value in config.get("vabal", {}).items()}
    for field in sorted(given.keys() ^ known):
        raise ValueError(f"config.{field}: {'unknown field' if field in given else 'missing'}")
    for fields, expected, is_right in RULES:
        for field in fields:
            if not is_right(given[field]):
                raise ValueError(f"config.{field}: expected {expected}, got {given[field]!r}")
    if not isinstance(config["minority"], str) and any(x >= config["num_classes"] for x in config["minority"]):
        raise ValueError(f"config.minority: {config['num_classes']} classes, got {config['minority']!r}")
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
    if config["source"] and config["backbone"] == "identity":
        raise ValueError("config.source: 'identity' has no parameters to start from; choose another config.backbone")
    for name in config["strategies"]:
        try:
            size = strategy(name).minibatch
        except ValueError as error:
            raise ValueError(f"config.strategies: {error}") from None
        if size is not None and config["budget"] % size:
            raise ValueError(f"config.strategies: {name!r}: {size} does not divide config.budget {config['budget']}")
        if lam_of(config, name) == "auto" and strategy(name).method not in ("cycle", "pseudo_label"):
            raise ValueError(f"config.lams: {name!r} needs a number here, as config.lam is 'auto'")
        if strategy(name).method == "mc_dropout" and not config["dropout"]:
            raise ValueError(f"config.dropout: {name!r} needs a rate above 0")
        if config["pool_dtype"] != "float32" and strategy(name).method != "cycle":
            raise ValueError(
                f"config.pool_dtype: only strategies of the cycle take {config['pool_dtype']!r}, not {name!r}"
            )
        _check_scheme(config, name)
        if config["parallel"] == "pool":
            _check_split(config, name)
    for name in config["lams"]:
        if name not in STRATEGIES or not STRATEGIES[name].balanced:
            raise ValueError(f"config.lams: {name!r} is not a strategy that balances classes")


def _check_scheme(config, name):
    """Refuses a strategy that asks more of its scheme than this has."""
    scheme, setting = scheme_of(config, name), strategy(name)
    bayesian = setting.update or setting.utility == "bald" or setting.method in ("mc_dropout", "batch_bald")
    if scheme not in NETWORKS and bayesian:
        raise ValueError(f"config.strategies: {name!r} needs a posterior, which scheme {scheme!r} has not")
    if scheme in ("network-th", "switch") and config["head"] != "linear":
        raise ValueError(f"config.head: scheme {scheme!r} of {name!r} needs 'linear', got {config['head']!r}")


def _check_split(config, name):
    """Refuses what only a pool on one device can do."""
    if strategy(name).method not in SPLIT:
        raise ValueError(f"config.parallel: 'pool' takes strategies of {', '.join(SPLIT)}, not {name!r}")
    if scheme_of(config, name) not in NETWORKS:
        raise ValueError(f"config.parallel: 'pool' trains networks, not the scheme of {name!r}")
    if lam_of(config, name) == "auto":
        raise ValueError(f"config.lam: 'auto' needs the whole pool on one device, config.parallel is 'pool' ({name!r})")
    for field in ("pool_subset", "source"):
        if config[field]:
            raise ValueError(f"config.{field}: goes with a pool on one device, config.parallel is 'pool'")


def check_budget(config: dict, smallest_pool: int) -> None:
    """Refuses a run that would label more rows than its smallest pool has."""
    needed = config["initial"] + config["cycles"] * config["budget"]
    if needed > smallest_pool:
        raise ValueError(
            f"config.budget: {config['initial']} initial labels and {config['cycles']} cycles of "
            f"{config['budget']} need {needed} rows, the smallest pool has {smallest_pool}"
        )


def check_inputs(config: dict, row_shape: tuple[int, ...]) -> None:
    """Refuses a backbone or an augmentation that cannot take rows of this shape."""
    images = len(row_shape) in (2, 3)
    if config["backbone"].startswith("resnet") and not images:
        raise ValueError(f"config.backbone: {config['backbone']!r} takes images, the rows have shape {row_shape}")
    if config["backbone"] == "tcn" and len(row_shape) > 2:
        raise ValueError(f"config.backbone: 'tcn' takes series, the rows have shape {row_shape}")
    if config["augment"] != "none" and not images:
        raise ValueError(f"config.augment: {config['augment']!r} takes images, the rows have shape {row_shape}")
    if config["augment"] != "none" and config["scaling"] == "feature":
        raise ValueError("config.scaling: images that are augmented need one scale for all places, got 'feature'")
