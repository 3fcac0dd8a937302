"""Everything that is checked of a config before anything is written: fields, values, strategies, network, data."""

from collections.abc import Mapping, Sequence

import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax.autoencoders.stage_vae import MEASURES
from alfamous_jax.autoencoders.vabal import LIKELIHOODS, PRIORS
from alfamous_jax.datasets import Dataset, scaling
from alfamous_jax.datasets.pools import PROFILES
from alfamous_jax.datasets.scaling import SCALINGS
from alfamous_jax.networks import random_features
from alfamous_jax.networks.choose_head import CRITERIA
from alfamous_jax.networks.train import OPTIMIZERS
from experiments.learning import conditions, methods, models, problem
from experiments.learning.schemes import AUGMENTATIONS
from experiments.plan.check import Rule, check_budget, check_config, check_inputs, one_of

LOOKED_AT = 10_000  # rows of a file that is not read as a whole

# Fields whose values stand where they are used.
OWNED: tuple[Rule, ...] = (
    one_of("optimizer", OPTIMIZERS),
    one_of("scaling", ("auto", *SCALINGS)),
    one_of("backbone", tuple(models.BACKBONES), dotted=True),
    one_of("head", models.HEADS),
    one_of("criterion", ("auto", *CRITERIA)),
    one_of("augment", AUGMENTATIONS),
    one_of("start", conditions.STARTS),
    one_of("profile", PROFILES),
    one_of("pool_dtype", ("float32", "bfloat16")),
    one_of("vabal.constraint", tuple(MEASURES)),
    one_of("vabal.likelihood", tuple(LIKELIHOODS)),
    one_of("vabal.prior_from", PRIORS),
)


def check(config: Mapping) -> None:
    """Refuses a config with a bad field, or with strategies that it cannot be run with.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    check_config(config, *OWNED)
    models.maps_of(config)
    methods.check(config)


def check_data(config: Mapping, frozen: FrozenConfigDict, seeds: range) -> Dataset:
    """Reads what a config names, and refuses a network or a budget that does not fit it.

    Args:
      config: checked; `initial`, `cycles` and `budget` say how many rows a run labels.
      frozen: the config to read by.
      seeds: of the run.

    Returns:
      the data set.

    Raises:
      ValueError, FileNotFoundError: names the field, the value and what was expected.
    """
    dataset = check_rows(config, frozen)
    problem.check_backbone(frozen)
    if config["source"]:
        problem.load_source(frozen)
    pools = [problem.seed_pool(frozen, dataset, seed) for seed in seeds]
    check_budget(config, min(int(pool.available.sum()) for pool in pools))
    if config["unseen"]:
        labels = dataset.y_train, config["num_classes"], config["unseen"]
        num_seen = min(int(conditions.without_unseen(pool, *labels).available.sum()) for pool in pools)
        if config["initial"] > num_seen:
            raise ValueError(
                f"config.unseen: without the {config['unseen']} rarest classes the smallest pool has {num_seen} rows, "
                f"config.initial asks for {config['initial']}"
            )
    return dataset


def check_rows(config: Mapping, frozen: FrozenConfigDict) -> Dataset:
    """Reads what a config names, and refuses rows that no network of it can be trained on.

    Args:
      config: checked.
      frozen: the config to read by.

    Returns:
      the data set.

    Raises:
      ValueError, FileNotFoundError: names the field or the file, the value and what was expected.
    """
    dataset = problem.load_dataset(frozen)
    shape = dataset.x_train.shape[1:]
    check_inputs(config, shape)
    if config["augment"] != "none" and dataset.scaling == "series":
        raise ValueError(
            f"config.augment: {config['augment']!r} takes images, rows of shape {shape} are taken for series; give "
            "images as [rows, height, width, 1]"
        )
    if config["parallel"] != "pool":  # else every process would read the rows of all
        problem.refuse_bad_rows(frozen)
    try:
        scaling.check_reach(dataset)
    except ValueError as error:
        raise ValueError(f"config.dataset: {config['dataset']}: {error}") from None
    return dataset


def facts(dataset: Dataset, frozen: FrozenConfigDict, seed: int, notes: Sequence[str] = ()) -> dict[str, object]:
    """What `environment.json` says of a data set, and `report.found` in sentences.

    Args:
      dataset: of `check_data`.
      frozen: the config.
      seed: the first; what is cut may differ from seed to seed.
      notes: what was done with the file, where the data set does not say it itself.

    Returns:
      numbers and names; `counts` and `left` are training rows of each class before and after the cut.
    """
    num_rows = len(dataset.y_train) + len(dataset.y_test)
    pool = problem.seed_pool(frozen, dataset, seed)
    parts = {"counts": dataset.y_train, "tested": dataset.y_test, "left": dataset.y_train[pool.rows[pool.available]]}
    varying = scaling.constant(dataset) if not isinstance(dataset.x_train, np.memmap) else np.zeros(0)
    return {
        "rows": num_rows,
        "published": num_rows + dataset.num_missing,
        "classes": list(dataset.class_names),
        "shape": list(dataset.x_train.shape[1:]),
        **{name: np.bincount(y, minlength=dataset.num_classes).tolist() for name, y in parts.items()},
        "scaling": dataset.scaling,
        "range": None if isinstance(dataset.x_train, np.memmap) else scaling.extremes(dataset),
        "constant": int(np.sum(varying)) if scaling.by_feature(dataset) else 0,
        "notes": [*(notes or dataset.notes), *_beyond_reach(dataset, frozen)],
    }


def _beyond_reach(dataset: Dataset, frozen: FrozenConfigDict) -> list[str]:
    """A sentence where random features are taken of numbers too large for a cosine in float32."""
    if frozen.head != "sngp" or frozen.backbone != "identity":
        return []
    rows = dataset.x_train
    if isinstance(rows, np.memmap) and dataset.scaling == "none":
        seen = rows[:: max(1, len(rows) // LOOKED_AT)]
        low, high = float(seen.min()), float(seen.max())
    else:
        low, high = scaling.extremes(dataset)
    largest, reach = max(-low, high), random_features.REACH * frozen.kernel_scale**0.5
    if largest <= reach:
        return []
    return [
        f"Features reach {largest:.3g}: beyond {reach:.3g} the random features of config.head 'sngp' are noise, as "
        "float32 has no cosine there; config.scaling 'feature' brings the features to one scale."
    ]
