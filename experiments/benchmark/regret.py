"""What it costs that map and ridge are chosen by the labels alone: python -m experiments.benchmark.regret.

    python -m experiments.benchmark.regret --workdir=runs/regret
    python -m experiments.benchmark.regret mine.npz letter --labels=100 --seeds=3 --workdir=runs/mine

On each pool some rows are drawn at random and labelled, a last layer is fitted under every map and every ridge, and its
macro F1 on the test rows is measured. Regret is what the choice of `choose_head` lies behind the best of them, which
only the test labels could have told. Writes regret.md and regret.json to the workdir. Without names, the seven pools
that are known.
"""

import argparse
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict
from rich.console import Console
from rich.progress import track

from alfamous_jax import compile_cache, datasets, metrics
from alfamous_jax.networks import choose_head, map_head
from alfamous_jax.networks.mapped import Mapped
from experiments import stopping
from experiments.benchmark.pools import HELD_OUT, TUNED, Pool, config_of, known_pools
from experiments.learning.models import build_model, maps_of, ridges_of
from experiments.learning.problem import Problem, build_problem, load_dataset, seed_keys, seed_pool
from experiments.learning.settle import settle
from experiments.report import summary
from experiments.report.markdown import Part, document, machine, number, plus_minus
from experiments.store import files
from experiments.store.environment import environment

PAGE = "regret.md"
NUMBERS = "regret.json"


class Look(NamedTuple):
    """Some labelled rows of a pool, and what every head that could be fitted to them is worth."""

    pool: str
    seed: int
    labels: int
    scores: dict[str, float]  # macro F1 of the choice by each criterion
    best: float  # of all maps and ridges
    best_map: str
    best_ridge: float


def looks(pool: Pool, sizes: Sequence[int], num_seeds: int) -> Iterator[Look]:
    """One for each seed and number of labels."""
    config = FrozenConfigDict(settle(config_of(pool, ("random",), num_seeds)).config)
    dataset, maps, ridges = load_dataset(config), maps_of(config), ridges_of(config)
    for seed in range(config.first_seed, config.first_seed + num_seeds):
        problem = build_problem(config, [seed])
        rows = seed_pool(config, dataset, seed)
        if max(sizes) > (room := int(rows.available.sum())):
            raise ValueError(f"--labels: {max(sizes)} rows of {pool.name!r}, which has {room}")
        order = rows.rows[datasets.initial_rows(seed_keys(seed).initial, rows, max(sizes))]
        for size in sizes:
            chosen, grid = _scores(config, problem, order[:size])
            place, which = np.unravel_index(np.argmax(grid), grid.shape)
            best = float(grid[place, which]), str(maps[place]), float(ridges[which])
            yield Look(pool.name, seed, size, chosen, *best)


def _scores(config: FrozenConfigDict, problem: Problem, rows: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Macro F1 of the choice by each criterion, and of every map and ridge [P, G]."""
    start = jax.tree.map(lambda leaf: leaf[0], problem.variables["network"])
    every: Callable[..., list[jax.Array]] = partial(build_model(config).apply, start, method=Mapped.every)  # type: ignore[assignment]
    data, ridges = problem.data, jnp.asarray(ridges_of(config), jnp.float32)
    known, tested, labels = every(data.inputs[rows]), every(data.x_test), data.labels[rows]
    everything, how = jnp.ones(len(rows), bool), (labels, config.num_classes, ridges)
    grid = np.stack([_grid(x, test, *how, data.y_test) for x, test in zip(known, tested, strict=True)])
    found = {}
    for criterion in choose_head.CRITERIA:
        choice = choose_head.choose(
            jax.random.key(0), known, labels, everything, config.num_classes, ridges, criterion=criterion
        )
        phi = tested[int(choice.place)]
        predictions = jnp.argmax(phi @ choice.mean[:, : phi.shape[1]].T, axis=1)
        found[criterion] = float(metrics.macro_f1(data.y_test, predictions, config.num_classes))
    return found, grid


@partial(jax.jit, static_argnames="num_classes")
def _grid(
    phi: jax.Array, test: jax.Array, labels: jax.Array, num_classes: int, ridges: jax.Array, y_test: jax.Array
) -> jax.Array:
    """Macro F1 of one map under every ridge [G], each fit starting from the one before; 0 where none converged."""
    mask = jnp.ones(len(labels), bool)
    base = map_head.basis(phi, mask)
    turned = test @ base.directions

    def step(start: jax.Array, ridge: jax.Array) -> tuple[jax.Array, jax.Array]:
        weights, info = map_head.fit_in(base, labels, mask, num_classes, ridge, start)
        score = metrics.macro_f1(y_test, jnp.argmax(turned @ weights.T, axis=1), num_classes)
        return weights, jnp.where(info.converged, score, 0.0)

    first, _ = map_head.fit_in(base, labels, mask, num_classes, ridges[0])
    scores: jax.Array = jax.lax.scan(step, first, ridges)[1]
    return scores


def page(found: Sequence[Look], where: dict[str, Any]) -> str:
    """The table of regrets."""
    sizes = sorted({look.labels for look in found})
    names = list(dict.fromkeys(look.pool for look in found))
    header = ["pool", "labels", "best in hindsight", *(f"by {name}" for name in choose_head.CRITERIA)]
    rows = [
        _row(name, size, [x for x in found if (x.pool, x.labels) == (name, size)]) for size in sizes for name in names
    ]
    groups = {"all pools": names}
    for title, pools in (("pools tuned on", TUNED), ("pools held out", HELD_OUT)):
        groups[title] = [pool.name for pool in pools if pool.name in names]
    for (title, group), size in product(groups.items(), sizes):
        if len(group) > 1:
            rows.append(_row(f"*{title}*", size, [x for x in found if x.pool in group and x.labels == size]))
    parts: list[Part] = [
        "# What choosing the head by the labels costs",
        "Macro F1 on the test rows of the best of all maps and ridges, which only test labels can tell, and behind it "
        "the regret of what `choose_head` takes by each of its criteria: leave-one-out (the default for features), the "
        "Laplace evidence, five folds. Rows are labelled at random; means over the seeds, ± one standard error.",
        (header, rows),
        machine(where),
    ]
    return document(parts)


def _row(name: str, size: int, looks: Sequence[Look]) -> list[str]:
    """A line of the table; over several pools the mean alone."""
    regrets = ([look.best - look.scores[criterion] for look in looks] for criterion in choose_head.CRITERIA)
    columns = [summary.estimate(values) for values in ([look.best for look in looks], *regrets)]
    alone = len({look.pool for look in looks}) == 1
    return [name, str(size), *(plus_minus(c.mean, c.se, 3) if alone else number(c.mean, 3) for c in columns)]


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark.regret", description="Regret of the head.")
    parser.add_argument("pools", nargs="*", help="files, or names of pools that are known; all of these if none")
    parser.add_argument("--workdir", required=True, help="folder to write to")
    parser.add_argument("--labels", default="60,200", help="numbers of labelled rows with commas between them")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(args)
    folder = pathlib.Path(options.workdir)
    with stopping.in_order("stopped; nothing was written"):
        try:
            sizes = [int(size) for size in options.labels.split(",")]
            if min(sizes) < 2 or options.seeds < 1:
                raise ValueError(f"--labels and --seeds must be at least 2 and 1, got {sizes} and {options.seeds}")
            compile_cache.use()
            console = Console(stderr=True)
            found: list[Look] = []
            for pool in known_pools(options.pools):
                of_pool, steps = looks(pool, sizes, options.seeds), options.seeds * len(sizes)
                found += track(of_pool, pool.name, steps, console=console) if console.is_terminal else of_pool
            folder.mkdir(parents=True, exist_ok=True)
            files.write_json(folder / NUMBERS, {"looks": [look._asdict() for look in found]})
            files.write_text(folder / PAGE, page(found, environment()))
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(folder / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
