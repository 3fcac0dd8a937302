"""How close to the limit of a device: python -m experiments.bench [WHAT ...] [--json FILE] [--plot FILE]

WHAT is cycle, update, laplace, selector, kcenter, badge, single_stage, train or experiment; all of them if none is
named. Each row has its compile time, the first call, the median and quartiles of those after it, the bytes and
operations that the algorithm cannot do without, and the share of the device's measured bandwidth or product rate that
these come to. Needs JAX, NumPy, optax and flax (a plot matplotlib) and runs unchanged on CPU, GPU and TPU; arrays are
arguments, never constants.

    python -m experiments.bench compare A.json B.json            two machines or two commits
    python -m experiments.bench devices [A.json ...]             the known devices, and those of files, in one table
    python -m experiments.bench lanes | training | vabal | highs | export | first | session | page | beyond
                                 against other ways: of training several seeds, PyTorch, bare products, HiGHS (SciPy),
                                 tracing in every process; what a first answer costs; a labelling session against a
                                 bare pass over the features; the labelling page in Chromium; a cycle on a pool
                                 that lies in a file
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp

from experiments import stopping
from experiments.bench import compare, devices, jobs, network, roofline
from experiments.bench.others import ways
from experiments.store import files
from experiments.store.environment import environment

SHAPE = ("rows", "features", "classes", "budget")
JOBS = {
    "cycle": jobs.cycle_jobs,
    "update": jobs.update_jobs,
    "laplace": jobs.laplace_jobs,
    "selector": jobs.selector_jobs,
    "kcenter": jobs.kcenter_jobs,
    "badge": jobs.badge_jobs,
    "single_stage": jobs.single_stage_jobs,
    "train": network.train_jobs,
    "experiment": lambda args: [],  # `network.experiment` times its stages itself
}
HEADER = ("compile s", "first ms", "median ms", "quartiles", "GB/s", "GFLOP/s", "of the limit", "Phi @ v")


def bench(names: Sequence[str], args: argparse.Namespace) -> dict:
    """Times what is named, and prints it row by row.

    Args:
      names: of JOBS.
      args: rows N, features D, classes K, budget b, repeats.

    Returns:
      the measured limits, and rows by name; those that pass over Phi are held against the bare product Phi @ v too.
    """
    bandwidth, rate = lru_cache(roofline.bandwidth), roofline.matmul_rate()
    rows: dict[str, dict] = {}
    default = roofline.matmul_rate(jax.lax.Precision.DEFAULT)
    print(f"{'':34}", *(f"{name:>13}" for name in HEADER))
    for name in names:
        if name == "experiment":
            found = network.experiment(args)
            rows |= {f"{name}: {stage}": row for stage, row in found.items()}
            for stage, row in found.items():
                _show_row(f"{name}: {stage}", row)
            continue
        for job in JOBS[name](args):
            over_phi = job.size == 4 * args.rows * args.features
            before = [_matvec(job)] if over_phi else []
            row = roofline.steady(job.function, *job.args, repeats=args.repeats)
            row |= {field: row[field] / job.units for field in ("first_s", "median_s", "low_s", "high_s")}
            limits = roofline.Limits(bandwidth(2 ** round(jnp.log2(job.size).item())), rate)
            row |= roofline.against(row, job.work, limits)
            if over_phi:
                row["matvec_s"] = sum((*before, _matvec(job))) / 2
                row["ratio_to_matvec"] = row["median_s"] / row["matvec_s"]
            if job.once is not None and (xla := roofline.counted_by_xla(job.once[0], *job.once[1])):
                row |= {"xla_bytes": xla.bytes, "xla_flops": xla.flops}
            rows[f"{name}: {job.name}"] = row
            _show_row(f"{name}: {job.name}", row)
    return {
        "matmul_GFLOPs": {"highest": rate / 1e9, "default": default / 1e9},
        "bandwidth_GBps": bandwidth(roofline.LARGEST) / 1e9,
        "rows": rows,
    }


def _matvec(job):
    """Seconds of the bare product Phi @ v, before and after a job: a shared machine is not always equally fast."""
    features = next(x for x in jax.tree.leaves(job.args) if getattr(x, "nbytes", 0) == job.size)
    product = jax.jit(lambda features, v: features @ v)
    return roofline.steady(product, features, jnp.ones(features.shape[1], features.dtype), repeats=30)["median_s"]


def _show_row(name, row):
    cells = [f"{row['compile_s']:.2f}" if "compile_s" in row else "", f"{1e3 * row['first_s']:.3f}"]
    cells += [f"{1e3 * row['median_s']:.3f}", f"{1e3 * row['low_s']:.2f}-{1e3 * row['high_s']:.2f}"]
    if "limit_s" in row:
        cells += [f"{row[field] / row['median_s'] / 1e9:.1f}" for field in ("bytes", "flops")]
        cells += [f"{row['fraction']:.0%} {row['bound']}"]
    cells += [f"{row['ratio_to_matvec']:.2f}"] if "ratio_to_matvec" in row else []
    print(f"{name:34}", *(f"{cell:>13}" for cell in cells), flush=True)
    if said := devices.verdict(row):
        print(f"    {said}", flush=True)


def _parser():
    parser = argparse.ArgumentParser(
        prog="experiments.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=list(JOBS), metavar="WHAT", help="see above")
    parser.add_argument("--rows", type=int, default=32_430, help="N, pool rows")
    parser.add_argument("--features", type=int, default=1024, help="D, random features")
    parser.add_argument("--classes", type=int, default=10, help="K")
    parser.add_argument("--budget", type=int, default=100, help="labels of a cycle")
    parser.add_argument("--repeats", type=int, default=7, help="calls that are timed")
    parser.add_argument("--lanes", type=int, default=8, help="seeds to train, for lanes")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes or host devices, for lanes")
    parser.add_argument("--sizes", default="S,M,L10,L100,XL", help="instances for highs, of others.selector.SIZES")
    parser.add_argument("--highs", action=argparse.BooleanOptionalAction, default=True, help="run HiGHS, for highs")
    parser.add_argument("--draws", type=int, default=100, help="of the latent, for vabal")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter with PyTorch, for training")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="draw the roofline there")
    return parser


def _check(parser, args):
    """Ends the program in one line where an argument is wrong, before anything is timed."""
    alone = ways.OTHERS.keys() | {"compare", "devices"}
    for name in args.what[:1] if args.what[0] in ("compare", "devices") else args.what:
        if name not in JOBS and name not in alone:
            parser.error(f"WHAT: expected {', '.join((*JOBS, *ways.OTHERS))}, devices or compare, got {name!r}")
        if name in alone and name not in ("compare", "devices") and len(args.what) > 1:
            parser.error(f"WHAT: {name} goes alone, got {' '.join(args.what)}")
    if args.what[0] == "compare" and len(args.what) != 3:
        parser.error(f"compare: expected two files, got {len(args.what) - 1}")
    for field in (*SHAPE, "repeats", "lanes", "workers", "draws"):
        if getattr(args, field) < 1:
            parser.error(f"--{field}: expected an integer of at least 1, got {getattr(args, field)}")
    if args.rows < 2 * args.budget:
        parser.error(f"--rows: expected at least twice --budget {args.budget}, got {args.rows}")
    for path in (args.json, args.plot):
        if path is not None and not path.parent.is_dir():
            parser.error(f"{path}: no folder {path.parent}")


def main() -> None:
    """Command line."""
    parser = _parser()
    args = parser.parse_args()
    _check(parser, args)
    with stopping.in_order():
        try:
            _measure(args)
        except (ValueError, OSError, RuntimeError) as error:
            sys.exit(f"error: {str(error).strip().splitlines()[0]}")


def _measure(args):
    if args.what[0] == "compare":
        compare.show(*compare.compare(*map(compare.load, args.what[1:])))
        return
    if args.what[0] == "devices":
        print(devices.table(args.what[1:]))
        return
    result = {"environment": environment(), "shape": {field: getattr(args, field) for field in SHAPE}}
    if args.what[0] in ways.OTHERS:
        result |= ways.OTHERS[args.what[0]](args)
        ways.show(result)
    else:
        result |= bench(args.what, args)
    if args.json:
        files.write_json(args.json, result)
    if args.plot:
        roofline.draw(result["rows"], args.plot)


if __name__ == "__main__":
    main()
