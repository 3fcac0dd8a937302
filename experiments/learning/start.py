"""Which rows are labelled first, before there is a classifier to ask: `config.start`."""

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import datasets
from alfamous_jax.datasets import Pool
from alfamous_jax.selection import coverage, diversity, typicality

STARTS = ("random", "kcenter", "maxherding", "typiclust")


def first_rows(start: str, key: jax.Array, inputs: np.ndarray, pool: Pool, num: int) -> np.ndarray:
    """Positions in the pool [num] of the first rows.

    Args:
      start: of `STARTS`; all but "random" look at the rows alone.
      key: consumed.
      inputs: the training rows [M, ...]; chance reads none of them.
      pool: with so many rows available.
      num: b0.
    """
    if start == "random":
        return datasets.initial_rows(key, pool, num)
    rows = jnp.asarray(inputs[pool.rows], jnp.float32).reshape(len(pool.rows), -1)
    none, available = jnp.zeros(len(rows), bool), jnp.asarray(pool.available)
    if start == "kcenter":
        found = diversity.k_center(rows, none, available, budget=num)
    elif start == "maxherding":
        found = coverage.select(available.astype(jnp.float32), rows, none, available, budget=num)
    else:
        found = typicality.select(key, rows, none, available, budget=num)
    return np.asarray(found.indices, np.int32)
