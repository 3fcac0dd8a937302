"""A pool on one device, or with its rows split over the devices of a mesh: sums, extremes, rows, draws.

Inside `shard_map` every device holds an equal share of the rows, in order, and `axis_name` names the mesh axis. Row
numbers are those of the whole pool. With None for `axis_name` nothing is sent and no operation is added.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")  # a pytree of arrays


def psum(x: Tree, axis_name: str | None) -> Tree:
    """Sum of a pytree over the devices."""
    return x if axis_name is None else jax.lax.psum(x, axis_name)


def pmax(x: Tree, axis_name: str | None) -> Tree:
    """Largest value over the devices, leaf by leaf."""
    return x if axis_name is None else jax.lax.pmax(x, axis_name)


def gather(x: Tree, axis_name: str | None) -> Tree:
    """The rows of all devices one after the other, leaf by leaf."""
    return x if axis_name is None else jax.lax.all_gather(x, axis_name, tiled=True)


def first(x: Tree, axis_name: str | None) -> Tree:
    """The first device's values on all of them, leaf by leaf: what was computed alike is then alike to the bit."""
    here = jax.lax.axis_index(axis_name) == 0 if axis_name is not None else True
    mine: Tree = jax.tree.map(lambda leaf: jnp.where(here, leaf, jnp.zeros_like(leaf)), x)
    return psum(mine, axis_name)


def num_rows(size: int, axis_name: str | None) -> int:
    """Rows of the whole pool, where `size` of them are here."""
    return size if axis_name is None else size * jax.lax.axis_size(axis_name)


def first_row(size: int, axis_name: str | None) -> int | jax.Array:
    """The row of the whole pool that is the first one here."""
    return 0 if axis_name is None else size * jax.lax.axis_index(axis_name)


def places(rows: jax.Array, size: int, axis_name: str | None) -> jax.Array:
    """Where rows of the pool stand here: 0..size - 1, and `size` for padding (-1) and rows of other devices."""
    if axis_name is None:
        return jnp.where(rows >= 0, rows, size)
    here = rows - first_row(size, axis_name)
    return jnp.where((here >= 0) & (here < size), here, size)


def take(arrays: Tree, rows: jax.Array, axis_name: str | None) -> Tree:
    """The given rows of a pytree of arrays [N, ...], on every device.

    Args:
      arrays: pytree of arrays [N, ...], split over the devices.
      rows: [...]; what comes back for padding (-1) means nothing.
      axis_name: the mesh axis, or None.

    Returns:
      pytree of arrays [..., ...]. Each entry is one number plus zeros, hence exact.
    """

    def masked(x: jax.Array) -> jax.Array:
        place = places(rows, len(x), axis_name)
        mine = (place < len(x)).reshape(rows.shape + (1,) * (x.ndim - 1))
        return jnp.where(mine, x[jnp.minimum(place, len(x) - 1)], jnp.zeros((), x.dtype))

    taken: Tree = jax.tree.map((lambda x: x[rows]) if axis_name is None else masked, arrays)
    return psum(taken, axis_name)


def draw(sample: Callable[[int], jax.Array], size: int, axis_name: str | None) -> jax.Array:
    """The `size` rows here of what one device would draw for the whole pool.

    Args:
      sample: number of rows n -> draws [n, ...]; the same on every device.
      size: rows here.
      axis_name: the mesh axis, or None.

    Returns:
      draws [size, ...]. Nothing is sent: every device draws for the whole pool.
    """
    if axis_name is None:
        return sample(size)
    whole = sample(num_rows(size, axis_name))
    return jax.lax.dynamic_slice_in_dim(whole, first_row(size, axis_name), size)
