"""Rows of an `.npy` file or an array, more than one device or process may hold, split over the devices of a mesh."""

import os
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from alfamous_jax.datasets import npz


def split_rows(
    source: str | os.PathLike[str] | np.ndarray,
    mesh: Mesh,
    axis_name: str,
    rows: np.ndarray | None = None,
    dtype: np.dtype | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The rows of a file in equal shares over a mesh axis; a process reads those of its own devices and no others.

    Args:
      source: an `.npy` file, not pickled, which is mapped into memory; or an array, which may be such a map.
      mesh: the devices, of one process or many.
      axis_name: the axis to split the rows over, of P devices.
      rows: the N rows to take [N], in the order wanted; all of them if not given.
      dtype: of the numbers on the devices; if not given, as in the file, those of 64 bits as 32 unless JAX is told
        otherwise.

    Returns:
      the rows, padded with zeros to N' = the next multiple of P [N', ...], and which of them are real [N'], both with
      the sharding that `shard_map` takes.

    Raises:
      FileNotFoundError, ValueError: there is no such file, it is no plain array, or it holds a single number.
    """
    stored = source if isinstance(source, np.ndarray) else npz.read_array(source, mapped=True)
    if stored.ndim == 0:
        raise ValueError(f"{source} holds a single number, not rows")
    num_rows, num_devices = len(stored if rows is None else rows), mesh.shape[axis_name]
    size = -(-num_rows // num_devices) * num_devices
    sharding = NamedSharding(mesh, PartitionSpec(axis_name))
    dtype = dtype or jax.dtypes.canonicalize_dtype(stored.dtype.newbyteorder("="))

    def share(index: Any) -> np.ndarray:
        start, stop, _ = index[0].indices(size)
        found = stored[start:stop] if rows is None else stored[rows[start:stop]]
        padded = np.zeros((stop - start, *stored.shape[1:]), dtype)
        padded[: len(found)] = found
        return padded

    def real(index: Any) -> np.ndarray:
        return np.arange(*index[0].indices(size)) < num_rows

    shape = (size, *stored.shape[1:])
    return (
        jax.make_array_from_callback(shape, sharding, share),
        jax.make_array_from_callback((size,), sharding, real),
    )
