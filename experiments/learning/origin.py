"""What decides the results of a run and stands in no config: its data, a source network, code of the user's own."""

import pathlib
import sys
from typing import Any

import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax.datasets import Dataset, npz
from experiments.learning import problem
from experiments.plan.dotted import is_dotted, resolve
from experiments.plan.strategies import parse
from experiments.store import digests

Origin = dict[str, dict[str, str]]  # by a name: "from", the file; "sha256", digits of a digest of what is in it


def of(config: FrozenConfigDict) -> Origin:
    """Digests of all data of a config; an array that is mapped from its file is read once, from end to end.

    Args:
      config: checked; its data can be read.

    Returns:
      digests of `dataset`, `rows` (those of a folder of `.npy` files) and `source`, as far as there are any.
    """
    x_train = problem.load_dataset(config).x_train
    if not isinstance(x_train, np.memmap):
        return held(config)
    rows = {"from": str(x_train.filename), "sha256": digests.of({"x_train": x_train})}
    return held(config) | {"rows": rows}


def held(config: FrozenConfigDict) -> Origin:
    """The same without the rows that stay in their file."""
    dataset = problem.load_dataset(config)
    found = {"dataset": {"from": dataset.where, "sha256": _of_dataset(dataset)}}
    if config.source:
        arrays = npz.read(pathlib.Path(config.source))
        found["source"] = {"from": str(config.source), "sha256": digests.of(arrays)}
    return found


def word(config: FrozenConfigDict) -> str:
    """The digests of `held` in one word."""
    return "-".join(found["sha256"] for found in held(config).values())


def code(config: FrozenConfigDict) -> dict[str, str]:
    """Digests of the files of the user's own modules that a config names, by module."""
    strategies = () if "selections" in config else config.strategies
    names = [config.dataset, config.backbone, *(parse(name).base for name in strategies)]
    modules = {resolve(name, "config").__module__ for name in names if is_dotted(name)}
    paths = {name: getattr(sys.modules[name], "__file__", None) for name in sorted(modules)}
    return {name: digests.of_file(pathlib.Path(path)) for name, path in paths.items() if path}


def _of_dataset(dataset: Dataset) -> str:
    arrays: dict[str, Any] = {name: getattr(dataset, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    if isinstance(dataset.x_train, np.memmap):
        del arrays["x_train"]
    if dataset.source_probs is not None:
        arrays["source_probs"] = dataset.source_probs
    return digests.of(arrays, f"{dataset.num_classes} {dataset.scaling}", *dataset.class_names)
