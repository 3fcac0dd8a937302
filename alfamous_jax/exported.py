"""The steps of a cycle compiled ahead of time, to be served without tracing Python: `jax.export`.

What is written is StableHLO in JAX's own container, read by `jax.export.deserialize` of this or a later version of JAX
(its documentation promises six months) without this package. Arguments and results are plain arrays; the state is
(mean [K, D], covariance [D, D], logits [N, K], variance [N], available [N], counts [K]).

    init    (mean, covariance, phi [N, D], available, counts) -> state
    query   (state, lam []) -> index [num], -1 where no row is left
    update  (state, phi, indices [num], labels [num]) -> state
    run     (state, phi, labels [N], lam) -> state, indices [budget]
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from alfamous_jax import cycle, utilities
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior

Arrays = tuple[jax.Array, ...]

PLATFORMS = ("cpu", "cuda", "tpu")


def export_step(
    step: str,
    num_features: int,
    num_classes: int,
    *,
    num_rows: int | None = None,
    num: int = 1,
    utility: str = "least_confidence",
    update: bool = True,
    implicit: bool = False,
    platforms: Sequence[str] = PLATFORMS,
) -> bytes:
    """A step of the cycle as bytes for `load`.

    Args:
      step: "init", "query", "update" or "run"; see above.
      num_features, num_classes: D and K.
      num_rows: N; None for a pool of any size, which only single picks allow.
      num: rows of a query; labels of an update; for "run" the budget, which it picks one by one.
      utility: a name in `utilities.UTILITIES` but "random", which would need a key.
      update: for "run", whether labels move the posterior.
      implicit: for "update" and "run", see `updates.gain`; for heads fitted with a small ridge.
      platforms: which devices it shall run on; none of them has to be here.

    Returns:
      the artefact.

    Raises:
      ValueError: an unknown step or utility; a batch for a pool of any size.
    """
    if utility == "random" or utility not in utilities.UTILITIES:
        known = ", ".join(name for name in utilities.UTILITIES if name != "random")
        raise ValueError(f"utility must be one of {known}, got {utility!r}")
    if step == "query" and num > 1 and num_rows is None:
        raise ValueError(f"a query of {num} rows needs num_rows, as a batch is chosen from a pool of known size")
    (n,) = export.symbolic_shape("n") if num_rows is None else (num_rows,)
    float32, int32, k, d = jnp.float32, jnp.int32, num_classes, num_features
    pool = (n, d), float32
    state = ((k, d), float32), ((d, d), float32), ((n, k), float32), ((n,), float32), ((n,), bool), ((k,), int32)
    named, lam = {"utility": utility}, ((), float32)
    steps: dict[str, tuple[Callable[..., Any], Sequence[tuple[Any, Any]]]] = {
        "init": (_init, [*state[:2], pool, *state[4:]]),
        "query": (partial(_query, num=num, **named), [*state, lam]),
        "update": (partial(_update, implicit=implicit), [*state, pool, ((num,), int32), ((num,), int32)]),
        "run": (
            partial(_run, budget=num, update=update, implicit=implicit, **named),
            [*state, pool, ((n,), int32), lam],
        ),
    }
    if step not in steps:
        raise ValueError(f"step must be one of {', '.join(steps)}, got {step!r}")
    function, shapes = steps[step]
    arguments = [jax.ShapeDtypeStruct(*shape) for shape in shapes]
    return bytes(export.export(jax.jit(function), platforms=platforms)(*arguments).serialize())


def load(artefact: bytes) -> Callable[..., Arrays]:
    """What `export_step` wrote, as a function; the same in three lines of JAX where this package is not installed."""
    return jax.jit(export.deserialize(bytearray(artefact)).call)


def _flat(state: PoolState) -> Arrays:
    return *state.posterior, *state[1:]


def _state(arrays: Sequence[jax.Array]) -> PoolState:
    mean, cov, logits, variance, available, counts = arrays
    return PoolState(Posterior(mean, cov), logits, variance, available, counts)


def _init(mean: jax.Array, covariance: jax.Array, phi: jax.Array, available: jax.Array, counts: jax.Array) -> Arrays:
    return _flat(cycle.init(Posterior(mean, covariance), phi, available, counts))


def _query(*arrays: jax.Array, num: int, utility: str) -> jax.Array:
    *state, lam = arrays
    indices: jax.Array = cycle.query(_state(state), jax.random.key(0), utility=utility, lam=lam, num=num)[0]
    return indices


def _update(*arrays: jax.Array, implicit: bool) -> Arrays:
    return _flat(cycle.update(_state(arrays[:6]), *arrays[6:], implicit=implicit))


def _run(*arrays: jax.Array, budget: int, utility: str, update: bool, implicit: bool) -> Arrays:
    *before, phi, labels, lam = arrays
    settings = {"utility": utility, "budget": budget, "update": update, "implicit": implicit}
    state, info = cycle.acquire(jax.random.key(0), _state(before), phi, labels, lam=lam, **settings)
    return *_flat(state), info.indices
