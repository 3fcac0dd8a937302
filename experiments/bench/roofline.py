"""What a device can do, measured, and how much of it a program reaches.

A program that moves so many bytes and does so many operations takes at least the longer of the two times that these
need alone: the roofline. The bytes are those that the algorithm cannot avoid if nothing stays in a cache, so that a
program whose arrays fit a cache may reach more than all of a memory's bandwidth; bandwidths are therefore measured on
arrays as large as those of the program.
"""

import pathlib
import time
from collections import Counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core.numerics import HIGHEST, dot
from experiments.store import files

LARGEST = 1 << 28  # bytes of the largest array that bandwidth is measured on
OVERHEAD = 0.1  # a program that reaches less of both limits is bound by neither


class Work(NamedTuple):
    """What an algorithm cannot do without, counted by hand."""

    bytes: float  # read and written
    flops: float  # additions and multiplications of its products


class Limits(NamedTuple):
    """What a device does, in bytes and operations a second."""

    bandwidth: float
    rate: float


def steady(function: Any, *args: Any, repeats: int = 7) -> dict:
    """Compile time, first call, then median and quartiles of the calls after it, in seconds.

    Args:
      function: jitted.
      args: its arrays.
      repeats: calls after the first.

    Returns:
      compile_s, first_s, median_s, low_s, high_s.
    """
    start = time.perf_counter()
    compiled = function.lower(*args).compile()
    compile_s = time.perf_counter() - start
    times = [_seconds(compiled, *args) for _ in range(repeats + 1)]
    low, median, high = np.percentile(times[1:], [25, 50, 75])
    return {"compile_s": compile_s, "first_s": times[0], "median_s": median, "low_s": low, "high_s": high}


def bandwidth(size: float) -> float:
    """Bytes a second through an array of `size` bytes: the better of an update in place and a matrix-vector product.

    Args:
      size: bytes, cut to between 1 MiB and 256 MiB.

    Returns:
      bytes a second, reads and writes together.
    """
    columns = 1024
    rows = int(np.clip(size, 1 << 20, LARGEST)) // (4 * columns)
    repeats = max(1, int((1 << 26) // (4 * rows * columns)))

    def update(x):
        return jax.lax.fori_loop(0, repeats, lambda _, x: x * 0.5 + 1.0, x)

    def read(x, v):
        def step(_, v):
            return v + 1e-9 * jnp.sum(dot(x, v))

        return jax.lax.fori_loop(0, repeats, step, v)

    x, v = jnp.ones((rows, columns), jnp.float32), jnp.ones(columns, jnp.float32)
    update_s = steady(jax.jit(update), x, repeats=5)["low_s"]
    read_s = steady(jax.jit(read), x, v, repeats=5)["low_s"]
    return repeats * x.nbytes * max(2 / update_s, 1 / read_s)


def matmul_rate(precision: jax.lax.Precision = HIGHEST) -> float:
    """Operations a second of a product of square float32 matrices, the best of twenty."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    x = jnp.ones((size, size), jnp.float32)
    product = jax.jit(lambda x: jnp.dot(x, x, precision=precision)).lower(x).compile()
    return 2 * size**3 / min(_seconds(product, x) for _ in range(20))


def against(row: dict, work: Work, limits: Limits) -> dict:
    """What a measured row reaches.

    Args:
      row: median_s, of one unit of work.
      work: bytes and operations of that unit.
      limits: of the device, at the size of the row's arrays.

    Returns:
      bytes, flops, limit_s (the least time), fraction (of it in the time taken), bound ("memory", "compute", or
      "overhead" below a tenth of both) and the limits.
    """
    reading, computing = work.bytes / limits.bandwidth, work.flops / limits.rate
    limit = max(reading, computing)
    fraction = limit / row["median_s"]
    bound = "overhead" if fraction < OVERHEAD else "memory" if reading >= computing else "compute"
    return {
        "bytes": work.bytes,
        "flops": work.flops,
        "limit_s": limit,
        "fraction": fraction,
        "bound": bound,
        "bandwidth_GBps": limits.bandwidth / 1e9,
        "rate_GFLOPs": limits.rate / 1e9,
    }


def counted_by_xla(function: Any, *args: Any) -> Work | None:
    """What XLA says of a compiled program, None where the backend says nothing.

    It counts a loop's body once and a call of a library not at all, so that it is asked about programs of one step.
    """
    analysis = function.lower(*args).compile().cost_analysis()
    if not analysis or "flops" not in analysis:
        return None
    return Work(analysis.get("bytes accessed", float("nan")), analysis["flops"])


def draw(rows: dict[str, dict], path: pathlib.Path) -> None:
    """Operations a second over operations a byte, under the limits of the device.

    Args:
      rows: those of the bench command; the ones without a limit are left out.
      path: the image to write.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    rows = {name: row for name, row in rows.items() if "limit_s" in row}
    figure = Figure(figsize=(8.0, 4.8), layout="constrained")
    axes = figure.add_subplot(xlabel="operations a byte", ylabel="GFLOP/s", title="Roofline")
    axes.set_xscale("log")
    axes.set_yscale("log")
    intensity = {name: row["flops"] / row["bytes"] for name, row in rows.items()}
    ends = np.geomspace(min(intensity.values()) / 2, max(max(intensity.values()), 100) * 2, 100)
    slowest, fastest = (pick(row["bandwidth_GBps"] for row in rows.values()) for pick in (min, max))
    rate = max(row["rate_GFLOPs"] for row in rows.values())
    for speed, style in ((fastest, ":"), (slowest, "-")):
        axes.plot(ends, np.minimum(ends * speed, rate), color="#000000", linestyle=style, label=f"{speed:.0f} GB/s")
    beside: Counter = Counter()  # how many numbers stand to the right of points of one intensity
    for number, (name, row) in enumerate(rows.items(), 1):
        reached, cluster = row["flops"] / row["median_s"] / 1e9, round(2 * np.log10(intensity[name]))
        color = colormaps["tab20"]((number - 1) % 20)
        axes.plot(intensity[name], reached, "o", color=color, label=f"{number}  {name}: {row['fraction']:.0%}")
        place, beside[cluster] = (6 + 15 * beside[cluster], -3), beside[cluster] + 1
        axes.annotate(str(number), (intensity[name], reached), place, textcoords="offset points", color=color)
    axes.set_ylabel(f"GFLOP/s (a product of matrices: {rate:.0f})")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    with files.replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:] or "png", dpi=150)


def _seconds(compiled, *args):
    start = time.perf_counter()
    jax.block_until_ready(compiled(*args))
    return time.perf_counter() - start
