"""Strategies over many pools under one protocol, on one page.

    python -m experiments.benchmark --workdir=runs/benchmark --resume
    python -m experiments.benchmark mine.npz letter --strategies=random,margin-alfamous --seeds=5 --workdir=runs/mine

runs `configs/own.py` on each pool in turn, in a folder of the workdir, and writes README.md there: ranking, pairwise
wins, curves, labels needed, seconds. Without names, the seven pools that are known; those whose files are in the folder
that ALFAMOUS_DATA_DIR names. A pool is a file with all labels, as docs/own-data.md says.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from rich.console import Console

from alfamous_jax import compile_cache
from experiments import stopping
from experiments.benchmark import FULL, full, page
from experiments.benchmark.pools import KNOWN, STRATEGIES, Pool, config_of, known_pools
from experiments.engines.choose import Settings
from experiments.learning.check import check
from experiments.learning.settle import settle
from experiments.report import runs
from experiments.run import run
from experiments.store import files


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description="Strategies over many pools.")
    parser.add_argument("pools", nargs="*", help=f"files, or of {', '.join(KNOWN)}; all of these if none is named")
    parser.add_argument("--workdir", required=True, help="folder of the benchmark")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="names with commas between them")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=0, help="processes at a time; 0 is one for each core")
    parser.add_argument("--resume", action="store_true", help="go on with what is there")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page of what is there")
    options = parser.parse_args(args)
    folder = pathlib.Path(options.workdir)
    with stopping.in_order(f"stopped; --resume goes on with {folder}"):
        try:
            pools = known_pools(options.pools)
            if not options.page:
                _run(options, folder, pools)
            path = _write(folder, [pool.name for pool in pools])
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(path)
    return 0


def _run(options: argparse.Namespace, folder: pathlib.Path, pools: Sequence[Pool]) -> None:
    """Each pool in turn, in a folder of its own; all that can be refused is refused before the first of them."""
    compile_cache.use()
    strategies, settings = options.strategies.split(","), Settings(compile_cache=compile_cache.default_folder())
    configs = {pool.name: config_of(pool, strategies, options.seeds, options.workers) for pool in pools}
    for config in configs.values():
        check(settle(config).config)
    for number, (name, config) in enumerate(configs.items(), start=1):
        print(f"\n{name}, pool {number} of {len(configs)}", flush=True)
        run(config, folder / name, resume=options.resume, settings=settings)


def _write(folder: pathlib.Path, names: Sequence[str]) -> pathlib.Path:
    """The page of the pools that have records."""
    found = {name: runs.load(folder / name) for name in names if (folder / name / "metrics.jsonl").is_file()}
    if not found:
        raise ValueError(f"{folder}: no run of {', '.join(names)} in it")
    known = {}
    for name, one in found.items():
        path = folder / name / FULL
        if not path.is_file() and all(own.whole.any() for own in one.lanes.values()):
            Console(stderr=True).print(f"{name}: the score of all labels ...")
            files.write_json(path, full.score(one))
        known[name] = files.read_json(path)
    return page.write_page(found, known, folder)


if __name__ == "__main__":
    sys.exit(main())
