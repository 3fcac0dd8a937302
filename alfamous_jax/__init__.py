"""Active learning for imbalanced data as pure JAX functions.

Every public module is reached from here by its name, whatever folder it lies in: `from alfamous_jax import balance_lp,
svm`. Importing this package imports JAX and nothing heavier; modules that need flax, optax, scikit-learn or files are
imported when they are first asked for.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from alfamous_jax import (
    acquisition,
    compile_cache,
    cycle,
    estimate,
    exported,
    imbalance,
    laplace,
    metrics,
    out_of_core,
    rounding,
    stopping,
    updates,
    utilities,
)
from alfamous_jax.networks import cross_validation, random_features
from alfamous_jax.selection import (
    balance,
    balance_lp,
    batch_bald,
    boundary,
    centroids,
    clusters,
    coverage,
    diversity,
    dropquery,
    falcun,
    flqmi,
    minority,
    single_stage,
    subpool,
    typicality,
)

if TYPE_CHECKING:
    from alfamous_jax import datasets, estimator, last_layer, session
    from alfamous_jax.autoencoders import stage_vae, vaal, vabal, vae
    from alfamous_jax.networks import (
        augment,
        choose_head,
        evidence,
        feature_maps,
        layers,
        linear,
        map_head,
        mapped,
        mlp,
        resnet,
        sngp,
        svm,
        tcn,
        train,
    )

__version__ = "0.1.0"

_LATER = {
    **dict.fromkeys(("datasets", "estimator", "last_layer", "session"), __name__),
    **dict.fromkeys(("stage_vae", "vaal", "vabal", "vae"), f"{__name__}.autoencoders"),
    **dict.fromkeys(
        ("augment", "choose_head", "evidence", "feature_maps", "layers", "linear", "map_head", "mapped", "mlp")
        + ("resnet", "sngp", "svm", "tcn", "train"),
        f"{__name__}.networks",
    ),
}

__all__ = [
    "acquisition",
    "augment",
    "balance",
    "balance_lp",
    "batch_bald",
    "boundary",
    "centroids",
    "choose_head",
    "clusters",
    "compile_cache",
    "coverage",
    "cross_validation",
    "cycle",
    "datasets",
    "diversity",
    "dropquery",
    "estimate",
    "estimator",
    "evidence",
    "exported",
    "falcun",
    "feature_maps",
    "flqmi",
    "imbalance",
    "laplace",
    "last_layer",
    "layers",
    "linear",
    "map_head",
    "mapped",
    "metrics",
    "minority",
    "mlp",
    "out_of_core",
    "random_features",
    "resnet",
    "rounding",
    "session",
    "single_stage",
    "sngp",
    "stage_vae",
    "stopping",
    "subpool",
    "svm",
    "tcn",
    "train",
    "typicality",
    "updates",
    "utilities",
    "vaal",
    "vabal",
    "vae",
]


def __getattr__(name: str) -> ModuleType:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{_LATER[name]}.{name}")


def __dir__() -> list[str]:
    return sorted(["__version__", *__all__])
