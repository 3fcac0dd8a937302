"""Which pools are compared, and the experiment that each of them is: that of `configs/own.py`."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from configs.own import get_config

PLAIN = ("random", "us", "margin", "entropy", "badge")
STRATEGIES = (*PLAIN, "kcenter-cb", "random-cb", "us-alfamous", "margin-alfamous", "bald-alfamous")


class Pool(NamedTuple):
    """Features with all their labels."""

    name: str
    dataset: str  # a name of the registry or a file
    changes: Mapping[str, Any] = {}  # to the config


# LETTER's own config cuts 13 of its classes to a tenth. Features of the images of CIFAR-10 come balanced.
HALF_CUT = {"minority_share": 0.5, "minority_ratio": 0.1}
TUNED = (  # the sets that defaults are chosen on
    Pool("letter", "letter", HALF_CUT),
    Pool("banking77_minilm", "banking77_minilm"),
    Pool("neu_cls_64_lite0", "neu_cls_64_lite0"),
)
HELD_OUT = (
    Pool("clinc150_imbalanced_minilm", "clinc150_imbalanced_minilm"),
    Pool("cifar10_lite0", "cifar10_lite0", HALF_CUT),
    Pool("cifar100_part_lite0", "cifar100_part_lite0"),
    Pool("fashion_mnist_lite0", "fashion_mnist_lite0", HALF_CUT),
)
KNOWN = {pool.name: pool for pool in TUNED + HELD_OUT}


def pools_of(names: Sequence[str]) -> list[Pool]:
    """The pools of names and files.

    Args:
      names: of `KNOWN`, whose files lie where ALFAMOUS_DATA_DIR says, or paths of files of one's own.

    Raises:
      ValueError: a name is neither, stands twice, or its file is not there.
    """
    folder = pathlib.Path(os.environ.get("ALFAMOUS_DATA_DIR", ""))
    found: list[Pool] = []
    for name in names:
        pool, path, where = KNOWN.get(name), pathlib.Path(name), ""
        if pool is None:
            pool = Pool(path.name.removesuffix("".join(path.suffixes)) or path.name, name)
        elif pool.dataset != "letter":
            path, where = folder / f"{name}.npz", "; ALFAMOUS_DATA_DIR names the folder of the pools known"
        if pool.dataset != "letter" and not path.exists():
            raise ValueError(f"{name!r}: there is no file {str(path)!r}{where}")
        if pool.name in [other.name for other in found]:
            raise ValueError(f"{name!r}: a pool called {pool.name!r} is there already")
        found.append(pool)
    return found


def known_pools(names: Sequence[str]) -> list[Pool]:
    """The pools named or, without a name, those known whose files are there; says which are not."""
    if names:
        return pools_of(names)
    found, absent = [], []
    for name in KNOWN:
        try:
            found += pools_of([name])
        except ValueError:
            absent.append(name)
    if absent:
        print(f"Left out, as ALFAMOUS_DATA_DIR has no file of them: {', '.join(absent)}.")
    return found


def config_of(pool: Pool, strategies: Sequence[str], seeds: int, workers: int = 0) -> dict[str, Any]:
    """The config of a pool: `configs/own.py` with its changes."""
    config = get_config().to_dict()
    changes = {"strategies": tuple(strategies), "seeds": seeds, "workers": workers}
    return config | {"dataset": pool.dataset} | changes | dict(pool.changes)
