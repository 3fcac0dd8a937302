"""Data sets as arrays: read, checked and split; made imbalanced by a key.

LETTER comes with the package: "Letter Recognition" by P. W. Frey and D. J. Slate (1991), UCI Machine
Learning Repository data set 59, CC BY 4.0, unchanged.
"""

from alfamous_jax.datasets.files import Dataset, Incomplete, from_arrays, load
from alfamous_jax.datasets.mapped import split_rows
from alfamous_jax.datasets.pools import Imbalance, Pool, imbalanced_pool, initial_rows, pool_size
from alfamous_jax.datasets.scaling import moments, standardize

__all__ = [
    "Dataset",
    "Imbalance",
    "Incomplete",
    "Pool",
    "from_arrays",
    "imbalanced_pool",
    "initial_rows",
    "load",
    "moments",
    "pool_size",
    "split_rows",
    "standardize",
]
