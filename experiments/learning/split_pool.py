"""A pool whose rows are split over all devices, of one process or many: `config.parallel = "pool"`.

Every device holds an equal share of the pool in the order of its rows, and all else whole. Each trains the same network
on the labelled rows, which it gets from where they are, and looks at its own share; picks are those of one device.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from alfamous_jax import datasets

AXIS = "pool"
WHOLE, ROWS, LANE_ROWS = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)


@lru_cache
def mesh() -> Mesh:
    """All devices of all processes in one row."""
    return jax.make_mesh((jax.device_count(),), (AXIS,))


def place(arrays: Any, rows: np.ndarray, available: np.ndarray) -> tuple:
    """Puts a pool on the devices.

    Args:
      arrays: `problem.Data` on the host; its rows may be mapped from a file, of which a process reads its own.
      rows: of the training set that are in the pool [N].
      available: [N].

    Returns:
      the data with the pool's rows in place of the training set's, padded to N' [N', ...]; where a device finds each
      row in its share [1, N']; which are available [1, N'].
    """
    split = {
        "inputs": datasets.split_rows(arrays.inputs, mesh(), AXIS, rows, np.dtype(np.float32))[0],
        "labels": datasets.split_rows(arrays.labels, mesh(), AXIS, rows)[0],
        "raw": None if arrays.raw is None else datasets.split_rows(arrays.raw, mesh(), AXIS, rows)[0],
    }
    data = whole(arrays._replace(**dict.fromkeys(split)))._replace(**split)
    size = len(data.labels)
    places = np.arange(size, dtype=np.int32) % (size // mesh().size)
    lanes = NamedSharding(mesh(), LANE_ROWS)
    padded = np.pad(available, (0, size - len(available)))
    return data, *(jax.make_array_from_callback((1, size), lanes, x[None].__getitem__) for x in (places, padded))


def whole(tree: Any) -> Any:
    """A pytree with every leaf on every device, but for those that are placed already."""
    sharding = NamedSharding(mesh(), WHOLE)

    def put(leaf: Any) -> jax.Array:
        if isinstance(leaf, jax.Array) and getattr(leaf.sharding, "mesh", None) == mesh():
            return leaf
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(np.asarray(jax.random.key_data(leaf))))
        return jax.make_array_from_callback(np.shape(leaf), sharding, np.asarray(leaf).__getitem__)

    return jax.tree.map(put, tree)


def over_devices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a program of one lane for all devices; what it answers is the same on each.

    Args:
      function: of arrays placed by `place` and of others, which are put on every device.

    Returns:
      the program.
    """

    @lru_cache
    def program(tree: Any, specs: tuple) -> Any:
        in_specs = jax.tree.unflatten(tree, specs)
        return jax.jit(jax.shard_map(function, mesh=mesh(), in_specs=in_specs, out_specs=WHOLE, check_vma=False))

    def call(*args: Any) -> Any:
        args = whole(args)
        leaves, tree = jax.tree.flatten(args)
        return program(tree, tuple(leaf.sharding.spec for leaf in leaves))(*args)

    return call
