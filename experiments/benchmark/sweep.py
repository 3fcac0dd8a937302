"""What one condition does to strategies: python -m experiments.benchmark.sweep POOL --over=FIELD --values=...

    python -m experiments.benchmark.sweep letter --over=label_noise --values=0,0.1,0.2,0.4 --workdir=runs/noise --resume

FIELD is what is made harder, all else stays as `configs/own.py` has it for the pool:

    label_noise     how likely an answer is to be wrong
    minority_ratio  what half of the classes are cut to, as a share of their rows
    budget          rows that are asked for at a time; as many labels in the end
    initial         labels before the first query; as many in the end
    start           how these are found: random, kcenter, maxherding, typiclust
    unseen          classes, the rarest, that none of these labels is of
    copies          how often every row is in the pool

Each value is a run in a folder of the workdir; README.md and sweep.png are written over them.
"""

import argparse
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from ml_collections import FrozenConfigDict

from alfamous_jax import compile_cache
from experiments import stopping
from experiments.benchmark import sweep_page
from experiments.benchmark.pools import Pool, config_of, pools_of
from experiments.benchmark.sweep_page import Value, shown
from experiments.engines.choose import Settings
from experiments.learning.check import check, check_data
from experiments.learning.settle import settle
from experiments.report import runs
from experiments.run import run

STRATEGIES = ("random", "margin", "badge", "us-alfamous", "margin-alfamous")
TYPES = {"label_noise": float, "minority_ratio": float, "budget": int, "initial": int, "start": str, "unseen": int}
TYPES |= {"copies": int}


def config_at(base: Mapping[str, Any], field: str, value: Value) -> dict[str, Any]:
    """The config at a value of a field, with as many labels in the end.

    Args:
      base: the settled config of the pool.
      field: one of `TYPES`.
      value: of it. Where the labels after the start are no whole number of queries, there are fewer by what is left.

    Returns:
      the config.

    Raises:
      ValueError: no query is left.
    """
    config = dict(base) | {field: value}
    if field == "minority_ratio":
        config["minority_share"] = 0.5
    total = base["initial"] + base["cycles"] * base["budget"]
    cycles = (total - config["initial"]) // max(config["budget"], 1)
    if cycles < 1:
        raise ValueError(f"--values: {field} {shown(value)} leaves no query of the pool's {total} labels")
    return config | {"cycles": cycles}


def main(args: list[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark.sweep", description="One condition swept.")
    parser.add_argument("pool", help="a file, or the name of a pool that is known")
    parser.add_argument("--over", required=True, choices=TYPES, help="what is made harder")
    parser.add_argument("--values", required=True, help="with commas between them")
    parser.add_argument("--workdir", required=True, help="folder of the sweep")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="names with commas between them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0, help="processes at a time; 0 is one for each core")
    parser.add_argument("--resume", action="store_true", help="go on with what is there")
    options = parser.parse_args(args)
    folder = pathlib.Path(options.workdir)
    with stopping.in_order(f"stopped; --resume goes on with {folder}"):
        try:
            (pool,) = pools_of([options.pool])
            values = _values(options.values, TYPES[options.over])
            folders = {value: f"{options.over}-{shown(value)}" for value in values}
            _run(options, pool, {folder / name: value for value, name in folders.items()})
            found = {name: (value, runs.load(folder / name)) for value, name in folders.items()}
            path = sweep_page.write(found, pool.name, options.over, folder)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(path)
    return 0


def _values(text: str, kind: type) -> list[Value]:
    try:
        values = [kind(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"--values: expected {kind.__name__}s with commas between them, got {text!r}") from None
    if len({*values}) < len(values):
        raise ValueError(f"--values: expected different ones, got {text!r}")
    return values


def _run(options: argparse.Namespace, pool: Pool, values: Mapping[pathlib.Path, Value]) -> None:
    """Each value in turn; all that can be refused is refused before the first of them."""
    compile_cache.use()
    settings = Settings(compile_cache=compile_cache.default_folder())
    base = settle(config_of(pool, options.strategies.split(","), options.seeds, options.workers)).config
    configs = {folder: config_at(base, options.over, value) for folder, value in values.items()}
    for config in configs.values():
        check(config)
        check_data(
            config, FrozenConfigDict(config), range(config["first_seed"], config["first_seed"] + config["seeds"])
        )
    for number, (folder, config) in enumerate(configs.items(), start=1):
        print(f"\n{options.over} {shown(values[folder])}, {number} of {len(configs)}", flush=True)
        run(config, folder, resume=options.resume, settings=settings)


if __name__ == "__main__":
    sys.exit(main())
