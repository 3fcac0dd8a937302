"""What comes in at the public doors: arrays of any library, labels in int32, everything else in one floating dtype."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

KINDS = "?biufV"  # of NumPy: booleans, integers, floats, and what `ml_dtypes` adds (bfloat16)
JIT_METHODS = "lower", "trace", "eval_shape", "clear_cache", "_cache_size"


def door(function: Callable[P, R]) -> Callable[P, R]:
    """A public function that takes what holds numbers: lists, pandas, polars, torch, anything with `__array__`.

    JAX and NumPy arrays, tracers, keys, named tuples and settings pass as they are, so that nothing is compiled anew.
    """
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def enter(*args: P.args, **kwargs: P.kwargs) -> R:
        taken = [as_array(x, names[min(i, len(names) - 1)]) for i, x in enumerate(args)]
        return function(*taken, **{name: as_array(x, name) for name, x in kwargs.items()})

    for name in JIT_METHODS:
        if hasattr(function, name):
            setattr(enter, name, getattr(function, name))
    return cast(Callable[P, R], enter)


def as_array(x: Any, name: str) -> Any:
    """Numbers as a JAX or NumPy array, one of NumPy's scalars as Python's; an array, a pytree or a setting as it is.

    A static argument is part of what is compiled, and np.int64(20) would count as another than 20.

    Raises:
      ValueError: text, objects, times, complex numbers, sparse matrices, lists of unequal lengths.
    """
    if isinstance(x, np.generic) and x.dtype.kind in KINDS:
        return x.item()
    if isinstance(x, jax.Array) or x is None or isinstance(x, (bool, int, float, str, tuple, dict)):
        return x
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        raise ValueError(f"{name} is a sparse matrix of shape {x.shape}; give {name}.toarray()")
    if isinstance(x, list) and any(isinstance(item, jax.Array) for item in x):
        return jnp.asarray(x)
    own = isinstance(x, np.ndarray)
    if hasattr(x, "detach"):  # torch; a tensor with a gradient or on another device has no NumPy form
        x = x.detach().cpu()
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    elif isinstance(x, list) or (hasattr(x, "__array__") and not own):
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"{name} must be rows of equal length: {error}") from None
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind not in KINDS:
        raise ValueError(f"{name} must hold numbers, got {x.dtype.name} such as {x.ravel()[:1].tolist()}")
    return x if own else jnp.asarray(x)


def as_float(x: jax.Array) -> jax.Array:
    """Numbers in float32 at least: half precision and whole numbers are taken into it, float64 stays."""
    return in_common(x)[0]


def in_common(*arrays: jax.Array | float) -> list[jax.Array]:
    """Arrays in the widest floating dtype among them, float32 at least; a Python number has no say in it."""
    own = [jnp.result_type(x) for x in arrays if not isinstance(x, (bool, int, float))]
    dtype = jnp.result_type(jnp.float32, *(x for x in own if jnp.issubdtype(x, jnp.floating)))
    return [jnp.asarray(x, dtype) for x in arrays]


def as_labels(labels: jax.Array, name: str = "labels") -> jax.Array:
    """Labels in int32: of integers of any width and sign, and of booleans, as 0 and 1.

    In a narrow type K itself may not exist (256 in uint8), and the -1 of padding is a class of an unsigned one.

    Raises:
      ValueError: other types; a class is a whole number, and 2.0 may be one that was rounded.
    """
    labels = jnp.asarray(labels)
    if labels.dtype != bool and not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"{name} must be whole numbers from 0 to K - 1, got {labels.dtype}")
    return labels.astype(jnp.int32)


def as_counts(counts: jax.Array) -> jax.Array:
    """Counts that can be added to: integers in 32 bits at least, other numbers as they are."""
    counts = jnp.asarray(counts)
    narrow = counts.dtype == bool or jnp.issubdtype(counts.dtype, jnp.integer) and counts.dtype.itemsize < 4
    return counts.astype(jnp.int32) if narrow else counts
