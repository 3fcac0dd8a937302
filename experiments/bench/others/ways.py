"""What `experiments.bench` measures by a name that goes alone: mostly against other ways of the same."""

import argparse
import os
import pathlib
import sys

import numpy as np

from experiments.bench import children
from experiments.bench.roofline import steady


def lanes(args: argparse.Namespace) -> dict:
    """Training several seeds: a loop, `vmap`, one process a core, one host device a core."""
    ways = {"loop": 1, "vmap": 1, "processes": args.workers, "devices": 1}
    rows = {}
    for way, processes in ways.items():
        command = [sys.executable, "-m", "experiments.bench.others.lanes", way, str(args.lanes), str(args.workers)]
        outputs = children.outputs([[*command, str(i)] for i in range(processes)], repr(way))
        seconds = max(float(output.split()[-1]) for output in outputs)
        rows[way] = {"median_s": seconds, "per_lane_s": seconds / args.lanes}
    for row in rows.values():
        row["ratio_to_loop"] = row["median_s"] / rows["loop"]["median_s"]
    return {"lanes": args.lanes, "workers": args.workers, "rows": rows}


def training(args: argparse.Namespace) -> dict:
    """A training step of each network on one core, beside a lean PyTorch loop if there is an interpreter with it."""
    script = pathlib.Path(__file__).with_name("training.py")
    commands = {"jax": [sys.executable, "-m", "experiments.bench.others.training", "jax"]}
    if args.torch:
        commands["torch"] = [args.torch, str(script), "torch"]
    rows: dict[str, dict[str, float]] = {}
    for network in ("mlp", "resnet6", "tcn"):
        rows[network] = {}
        for library, command in commands.items():
            (output,) = children.outputs([[*command, network]], f"{network} in {library}")
            rows[network][f"{library}_s"] = float(output.split()[-1])
        if args.torch:
            rows[network]["torch_to_jax"] = rows[network]["torch_s"] / rows[network]["jax_s"]
    return {"rows": rows}


def highs(args: argparse.Namespace) -> dict:
    """The batch selector against HiGHS's LP, and lazy against naive greedy."""
    from experiments.bench.others import selector

    greedy = {"greedy": {"rows": selector.measure_greedy(steady)}} if "L10" in args.sizes.split(",") else {}
    return {"rows": selector.measure(args, steady), **greedy}


def vabal(args: argparse.Namespace) -> dict:
    """VaB-AL's scores of a pool against the matrix products they need."""
    from experiments.bench.others import vabal as module

    return {"draws": args.draws, **module.measure(args, steady)}


def export(args: argparse.Namespace) -> dict:
    """A cycle from an exported artefact against tracing it, each in a fresh process."""
    from experiments.bench.others import export as module

    return {"rows": module.measure(args)}


def first(args: argparse.Namespace) -> dict:
    """What a first answer costs: tracing, compiling and running each function, and whole commands from the shell."""
    from experiments.bench.others import first as module

    return {"rows": module.measure(args)}


def session(args: argparse.Namespace) -> dict:
    """From an answer told to the next question, in a session of labelling, against one bare pass over the features."""
    from experiments.bench.others import session as module

    return {"rows": module.measure(args, steady)}


def page(args: argparse.Namespace) -> dict:
    """From the key of an answer to the next question, in the labelling page, by the browser's own clock."""
    from experiments.bench.others import page as module

    return {"load_before": os.getloadavg()[0], "rows": module.measure(args), "load_after": os.getloadavg()[0]}


def beyond(args: argparse.Namespace) -> dict:
    """A cycle on a pool in a file of half precision: both passes over it against reading it."""
    from experiments.bench.others import beyond as module

    return {"load_before": os.getloadavg()[0], "rows": module.measure(args)}


def show(result: dict) -> None:
    """Prints a result: a line for each field, a table of its rows."""
    for name, value in result.items():
        if name not in ("rows", "greedy", "environment", "shape"):
            print(f"{name}: {value if not isinstance(value, float) else round(value, 2)}")
    columns = dict.fromkeys(column for row in result["rows"].values() for column in row)
    width = max(map(len, result["rows"]))
    print(
        f"\n{'':{width}}", *(f"{column.removesuffix('_s') + ' ms' * column.endswith('_s'):>18}" for column in columns)
    )
    for name, row in result["rows"].items():
        cells = (row.get(column, np.nan) * (1e3 if column.endswith("_s") else 1) for column in columns)
        shown = ("" if np.isnan(cell) else f"{cell:.3f}" if abs(cell) >= 0.01 else f"{cell:.2g}" for cell in cells)
        print(f"{name:{width}}", *(f"{cell:>18}" for cell in shown))
    if "greedy" in result:
        show(result["greedy"])


OTHERS = {
    "lanes": lanes,
    "training": training,
    "vabal": vabal,
    "highs": highs,
    "export": export,
    "first": first,
    "session": session,
    "page": page,
    "beyond": beyond,
}
