"""Active learning for imbalanced data as pure JAX functions.

Importing this package imports JAX and nothing heavier; `models`, `train` and `datasets`, which need
flax, optax or files, are imported by name.
"""

from alfamous_jax import acquisition, cycle, exported, imbalance, laplace, metrics, updates
from alfamous_jax.networks import cross_validation, random_features
from alfamous_jax.selection import (
    balance,
    balance_lp,
    batch_bald,
    centroids,
    diversity,
    minority,
    single_stage,
)

__version__ = "0.1.0"

__all__ = [
    "acquisition",
    "balance",
    "balance_lp",
    "batch_bald",
    "centroids",
    "cross_validation",
    "cycle",
    "diversity",
    "exported",
    "imbalance",
    "laplace",
    "metrics",
    "minority",
    "random_features",
    "single_stage",
    "updates",
]
