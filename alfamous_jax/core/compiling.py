"""Programs that take longer to compile than they run for."""

import functools
from collections.abc import Callable
from importlib import metadata
from typing import Any

import jax
from jax.extend.core import get_opaque_trace_state

# XLA's fusion emitters take most of the compilation of many small loops, and make them hardly faster. From jaxlib 0.12
# on there is no way round them, and no such option.
_OLD = tuple(map(int, metadata.version("jaxlib").split(".")[:2])) < (0, 12)
OPTIONS: dict[str, bool] = {"xla_cpu_use_fusion_emitters": False} if _OLD else {}
_OUTSIDE = get_opaque_trace_state(convention="flax")


def quick_jit(**settings: Any) -> Callable[[Callable[..., Any]], Any]:
    """`jax.jit` that compiles for a CPU in about half the time, to code that may be slower.

    At worst by a third where products and sums are most of it; three times where functions of single numbers are, as in
    the integrals of BALD.

    A part of another program, and one of another device, is compiled as any other: options are for whole programs.

    Args:
      settings: those of `jax.jit`.

    Returns:
      a decorator.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        plain: Any = jax.jit(function, **settings)
        if not OPTIONS:
            return plain
        quick: Any = jax.jit(function, compiler_options=OPTIONS, **settings)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            whole = get_opaque_trace_state(convention="flax") == _OUTSIDE
            return (quick if whole and jax.default_backend() == "cpu" else plain)(*args, **kwargs)

        program: Any = call
        program.lower, program.trace, program.eval_shape = plain.lower, plain.trace, plain.eval_shape
        program._cache_size = lambda: plain._cache_size() + quick._cache_size()
        program.clear_cache = lambda: (plain.clear_cache(), quick.clear_cache())
        return program

    return decorate
