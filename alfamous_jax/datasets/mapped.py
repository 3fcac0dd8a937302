"""Rows of an `.npy` file that is larger than one device or the memory of one process, split over a mesh."""

import os

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def split_rows(path: str | os.PathLike, mesh: Mesh, axis_name: str) -> tuple[jax.Array, jax.Array]:
    """The rows of a file in equal shares over a mesh axis; a process reads those of its own devices and no others.

    Args:
      path: an `.npy` file of N rows, not pickled; it is mapped into memory.
      mesh: the devices, of one process or many.
      axis_name: the axis to split the rows over, of P devices.

    Returns:
      the rows, padded with zeros to N' = the next multiple of P [N', ...], and which of them are in the file [N'],
      both with the sharding that `shard_map` takes. Numbers of 64 bits become 32 unless JAX is told otherwise.

    Raises:
      ValueError: the file holds a single number.
    """
    stored = np.load(path, mmap_mode="r")
    if stored.ndim == 0:
        raise ValueError(f"{path} holds a single number, not rows")
    num_devices = mesh.shape[axis_name]
    size = -(-len(stored) // num_devices) * num_devices
    sharding = NamedSharding(mesh, PartitionSpec(axis_name))
    dtype = jax.dtypes.canonicalize_dtype(stored.dtype)

    def share(index):
        start, stop, _ = index[0].indices(size)
        rows = np.zeros((stop - start, *stored.shape[1:]), dtype)
        found = stored[start:stop]
        rows[: len(found)] = found
        return rows

    def real(index):
        return np.arange(*index[0].indices(size)) < len(stored)

    shape = (size, *stored.shape[1:])
    return (
        jax.make_array_from_callback(shape, sharding, share),
        jax.make_array_from_callback((size,), sharding, real),
    )
