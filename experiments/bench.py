"""How close to the machine's limit: python -m experiments.bench [WHAT] [--json FILE]

WHAT is cycle, diversity, lanes, selector, training or vabal. Needs only JAX and NumPy (`lanes`, `training` and `vabal`
also flax and optax, `selector` SciPy) and runs unchanged on CPU, GPU and TPU. Every ratio is taken in one run; compile
time is apart, and arrays are arguments, never constants.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import balance, cycle, diversity, laplace
from experiments import files


def timed(function, *args, repeats: int = 7) -> dict:
    """Compile time, then median and quartiles of the steady calls, in seconds.

    Args:
      function: jitted.
      args: its arrays.
      repeats: steady calls.

    Returns:
      compile_s, median_s, low_s, high_s.
    """
    start = time.perf_counter()
    compiled = function.lower(*args).compile()
    compile_s = time.perf_counter() - start
    jax.block_until_ready(compiled(*args))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*args))
        times.append(time.perf_counter() - start)
    low, median, high = np.percentile(times, [25, 50, 75])
    return {"compile_s": compile_s, "median_s": median, "low_s": low, "high_s": high}


def bandwidth() -> float:
    """Bytes a second that this process moves, reads and writes together, in an update of 256 MiB in place."""
    x = jnp.ones(1 << 26, jnp.float32)
    add, times = jax.jit(lambda x: x + 1.0, donate_argnums=0), []
    for _ in range(8):
        start = time.perf_counter()
        x = jax.block_until_ready(add(x))
        times.append(time.perf_counter() - start)
    return 2 * x.nbytes / float(np.median(times[1:]))


def problem(num_rows: int, num_features: int, num_classes: int) -> tuple:
    """A pool of random Fourier features with a posterior over it."""
    rng = np.random.default_rng(0)
    phi = np.cos(rng.normal(size=(num_rows, num_features)).astype(np.float32) * 2) * np.sqrt(2 / num_features)
    phi = jnp.asarray(phi, jnp.float32)
    mean = jnp.asarray(rng.normal(size=(num_classes, num_features)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, num_classes, num_rows), jnp.int32)
    num_labelled = min(100, num_rows)
    posterior = jax.jit(laplace.fit)(mean, phi[:num_labelled], jnp.ones(num_labelled, bool))
    available = jnp.arange(num_rows) >= num_labelled
    counts = jnp.bincount(labels[:num_labelled], length=num_classes).astype(jnp.int32)
    return posterior, phi, labels, available, counts


def bench_cycle(args: argparse.Namespace) -> dict:
    """One label of the AL-FaMoUS cycle against one bare product Phi @ v and against scoring the pool anew."""
    posterior, phi, labels, available, counts = problem(args.rows, args.features, args.classes)
    state = cycle.init(posterior, phi, available, counts)
    key = jax.random.key(0)
    settings = {"lam": 0.1, "budget": args.budget}

    def rescore(posterior, phi):
        return laplace.mean_field(*laplace.predict(posterior, phi))

    matvec = jax.jit(lambda phi, v: phi @ v)
    jobs = {"re-scoring from mean and covariance": (jax.jit(rescore), (posterior, phi))}
    for utility in ("least_confidence", "bald"):
        jobs[f"label, {utility}"] = (
            jax.jit(partial(cycle.acquire, utility=utility, **settings)),
            (key, state, phi, labels),
        )

    # The bare product is timed anew before every row, as a shared machine's memory is not equally fast all the time.
    rows, bare = {}, []
    for name, (function, arrays) in jobs.items():
        bare.append(timed(matvec, phi, posterior.mean[0], repeats=50))
        row = timed(function, *arrays, repeats=5)
        rows[name] = _per_label(row, args.budget) if name.startswith("label") else row
    bare.append(timed(matvec, phi, posterior.mean[0], repeats=50))
    rows = {"bare Phi @ v": sorted(bare, key=lambda row: row["median_s"])[(len(bare) - 1) // 2], **rows}
    limit, base = bandwidth(), rows["bare Phi @ v"]["median_s"]
    for row in rows.values():
        row["ratio_to_matvec"] = row["median_s"] / base
        row["share_of_bandwidth"] = phi.nbytes / row["median_s"] / limit  # were it to read Phi and nothing else
    shape = {"rows": args.rows, "features": args.features, "classes": args.classes, "budget": args.budget}
    ratio = rows["label, bald"]["median_s"] / rows["label, least_confidence"]["median_s"]
    return {"shape": shape, "bandwidth_GBps": limit / 1e9, "bald_to_least_confidence": ratio, "rows": rows}


def bench_diversity(args: argparse.Namespace) -> dict:
    """A pick by k-center, its balanced form and BADGE against one bare product features @ v."""
    posterior, features, _, available, counts = problem(args.rows, args.features, args.classes)
    probs = laplace.mean_field(*laplace.predict(posterior, features))
    demand = balance.class_demand(counts, args.budget + jnp.sum(counts))
    jobs = {
        "k-center": (diversity.k_center, (features, ~available, available)),
        "k-center, balanced": (diversity.k_center_balanced, (features, ~available, available, probs, demand, 0.5)),
        "BADGE": (diversity.badge, (jax.random.key(0), probs, features, available)),
    }
    matvec, rows = jax.jit(lambda features, v: features @ v), {}
    for name, (function, arrays) in jobs.items():
        bare = timed(matvec, features, posterior.mean[0], repeats=50)
        rows[name] = _per_label(timed(jax.jit(partial(function, budget=args.budget)), *arrays, repeats=3), args.budget)
        rows[name]["ratio_to_matvec"] = rows[name]["median_s"] / bare["median_s"]
    shape = {"rows": args.rows, "features": args.features, "classes": args.classes, "budget": args.budget}
    return {"shape": shape, "bandwidth_GBps": bandwidth() / 1e9, "matvec_ms": 1e3 * bare["median_s"], "rows": rows}


def bench_lanes(args: argparse.Namespace) -> dict:
    """Training several seeds: a loop, `vmap`, one process a core, one host device a core."""
    ways = {"loop": 1, "vmap": 1, "processes": args.workers, "devices": 1}
    rows = {}
    for way, processes in ways.items():
        command = [sys.executable, "-m", "experiments.bench_lanes", way, str(args.lanes), str(args.workers)]
        running = [subprocess.Popen([*command, str(i)], stdout=subprocess.PIPE, text=True) for i in range(processes)]
        outputs = [process.communicate()[0] for process in running]
        if any(process.returncode for process in running):
            raise RuntimeError(f"the measurement of {way!r} failed")
        seconds = max(float(output.split()[-1]) for output in outputs)
        rows[way] = {"median_s": seconds, "per_lane_s": seconds / args.lanes}
    for row in rows.values():
        row["ratio_to_loop"] = row["median_s"] / rows["loop"]["median_s"]
    return {"lanes": args.lanes, "workers": args.workers, "rows": rows}


def bench_training(args: argparse.Namespace) -> dict:
    """A training step of each network on one core, beside a lean PyTorch loop if there is an interpreter with it."""
    script = pathlib.Path(__file__).with_name("bench_training.py")
    commands = {"jax": [sys.executable, "-m", "experiments.bench_training", "jax"]}
    if args.torch:
        commands["torch"] = [args.torch, str(script), "torch"]
    rows = {}
    for network in ("mlp", "resnet6", "tcn"):
        rows[network] = {}
        for library, command in commands.items():
            done = subprocess.run([*command, network], stdout=subprocess.PIPE, text=True, check=True)
            rows[network][f"{library}_s"] = float(done.stdout.split()[-1])
        if args.torch:
            rows[network]["torch_to_jax"] = rows[network]["torch_s"] / rows[network]["jax_s"]
    return {"rows": rows}


def bench_selector(args: argparse.Namespace) -> dict:
    """The batch selector against HiGHS's LP, and lazy against naive greedy."""
    from experiments import bench_selector as selector

    greedy = {"greedy": {"rows": selector.measure_greedy(timed)}} if "L10" in args.sizes.split(",") else {}
    return {"rows": selector.measure(args, timed), **greedy}


def bench_vabal(args: argparse.Namespace) -> dict:
    """VaB-AL's scores of a pool against the matrix products they need."""
    from experiments import bench_vabal as module

    shape = {"rows": args.rows, "features": args.features, "classes": args.classes, "draws": args.draws}
    return {"shape": shape, **module.measure(args, timed)}


def _per_label(row, budget):
    return {name: value if name == "compile_s" else value / budget for name, value in row.items()}


def _print(result):
    for name, value in result.items():
        if name not in ("rows", "greedy"):
            print(f"{name}: {value if not isinstance(value, float) else round(value, 2)}")
    columns = dict.fromkeys(column for row in result["rows"].values() for column in row)
    width = max(map(len, result["rows"]))
    print(
        f"\n{'':{width}}", *(f"{column.removesuffix('_s') + ' ms' * column.endswith('_s'):>18}" for column in columns)
    )
    for name, row in result["rows"].items():
        cells = (row[column] * (1e3 if column.endswith("_s") else 1) for column in columns)
        print(f"{name:{width}}", *(f"{cell:18.3f}" if abs(cell) >= 0.01 else f"{cell:18.2g}" for cell in cells))
    if "greedy" in result:
        _print(result["greedy"])


BENCHES = {
    "cycle": bench_cycle,
    "diversity": bench_diversity,
    "lanes": bench_lanes,
    "selector": bench_selector,
    "training": bench_training,
    "vabal": bench_vabal,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="experiments.bench", description=__doc__)
    parser.add_argument("what", nargs="?", default="cycle", choices=tuple(BENCHES))
    parser.add_argument("--rows", type=int, default=32_430, help="N, pool rows")
    parser.add_argument("--features", type=int, default=1024, help="D, random features")
    parser.add_argument("--classes", type=int, default=10, help="K")
    parser.add_argument("--budget", type=int, default=100, help="labels of a cycle")
    parser.add_argument("--lanes", type=int, default=8, help="seeds to train")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes or host devices")
    parser.add_argument(
        "--sizes", default="S,M,L10,L100,XL", help="instances of the selector, see bench_selector.SIZES"
    )
    parser.add_argument("--highs", action=argparse.BooleanOptionalAction, default=True, help="run HiGHS beside it")
    parser.add_argument("--repeats", type=int, default=7, help="steady calls of the selector and of vabal")
    parser.add_argument("--draws", type=int, default=100, help="of the latent, for vabal")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter with PyTorch, for training")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    devices = [device.device_kind for device in jax.devices()]
    result = {"devices": devices, "cores": os.cpu_count(), "jax": jax.__version__}
    result |= BENCHES[args.what](args)
    _print(result)
    if args.json:
        files.write_json(pathlib.Path(args.json), result)


if __name__ == "__main__":
    main()
