"""What fewer bits change in the picks: python -m experiments.precision [--seeds 3] [--json FILE]

Trains LETTER's network on its first 352 labels, then asks for 32 more rows with the products of the Laplace fit and of
the cycle as they are (float32), with their inputs rounded to TF32 (what a GPU does by default) or to bfloat16 (a TPU),
and with the pool held in bfloat16. Rounding is emulated on any device: inputs lose their last bits, products do not.
"""

import argparse
import contextlib
import pathlib
from collections.abc import Iterator
from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax import cycle, laplace, metrics
from alfamous_jax.networks import train
from alfamous_jax.networks.sngp import head_mean
from configs.letter import get_config
from experiments.learning import check, problem
from experiments.learning.methods import lam_of, method_of
from experiments.learning.programs import Labelled, build_programs
from experiments.learning.schemes import build
from experiments.plan.strategies import parse
from experiments.store import files
from experiments.store.environment import environment

STRATEGIES = ("us", "us-alfamous", "bald", "bald-alfamous")
LABELS = 352
MODES = {  # mantissa bits of the products' inputs in the fit and the first scores, in the labels; dtype of the pool
    "TF32 in fit and scores": (10, None, "float32"),
    "TF32 in the labels": (None, 10, "float32"),
    "TF32": (10, 10, "float32"),
    "bfloat16": (7, 7, "float32"),
    "pool in bfloat16": (None, None, "bfloat16"),
}


@contextlib.contextmanager
def rounded_products(bits: int | None) -> Iterator[None]:
    """Within it, what is compiled rounds the inputs of every `jnp.dot` to so many mantissa bits; None leaves them."""
    original = jnp.dot

    def dot(a, b, **settings):
        return original(*(jax.lax.reduce_precision(x, 8, bits) for x in (a, b)), **settings)

    jax.clear_caches()
    with mock.patch.object(jnp, "dot", original if bits is None else dot):
        yield
    jax.clear_caches()


def pools(seeds: int) -> list[tuple]:
    """For each seed the head's mean, the features [N, D] of the pool, its labels, and which rows are labelled."""
    config = get_config().to_dict()
    check.check(config)
    config = FrozenConfigDict(config)
    programs = build_programs(config, parse("us").program("network"), 1)
    scheme, found = build(config, "network"), []
    for seed in range(seeds):
        task, key = problem.build_problem(config, [seed]), problem.seed_keys(seed)
        rows = np.flatnonzero(np.asarray(task.available[0]))
        chosen = np.random.default_rng(seed).choice(rows, LABELS, replace=False)
        labelled = Labelled(task.data, task.pool, jnp.asarray(chosen[None], jnp.int32), jnp.int32(LABELS))
        variables, _ = programs.train(key.train[None], task.variables["network"], labelled)
        variables = jax.tree.map(lambda x: x[0], variables)
        phi = train.in_chunks(lambda chunk: scheme.model.apply(variables, task.data.inputs[chunk]).phi, task.pool[0])  # noqa: B023
        found.append((head_mean(variables), phi, task.data.labels[task.pool[0]], task.available[0], chosen))
    return found


def pick(pool: tuple, name: str, fit_bits: int | None, label_bits: int | None, dtype: str) -> tuple:
    """Picks [32], the pool's variances before them [N], and the L1 score of the classes after them."""
    mean, phi, labels, available, chosen = pool
    config, strategy = get_config(), parse(name)
    phi = phi.astype(dtype)
    with rounded_products(fit_bits):
        posterior = jax.jit(laplace.fit)(mean, phi[chosen].astype(mean.dtype), jnp.ones(len(chosen), bool))
        counts = jnp.bincount(labels[chosen], length=config.num_classes)
        state = jax.block_until_ready(cycle.init(posterior, phi, available.at[chosen].set(False), counts))
    with rounded_products(label_bits):
        how = method_of(strategy).settings(config, strategy, None)._asdict()
        acquire = jax.jit(partial(cycle.acquire, lam=lam_of(config, strategy), **how))
        state_after, info = jax.block_until_ready(acquire(jax.random.key(0), state, phi, labels))
    return np.asarray(info.indices), np.asarray(state.variance), float(metrics.l1_score(state_after.counts))


def compare(exact: list[tuple], other: list[tuple]) -> dict:
    """How far the picks of some seeds lie from those in float32, seed by seed."""
    same = [len(set(a[0]) & set(b[0])) / len(a[0]) for a, b in zip(exact, other, strict=True)]
    first = [np.flatnonzero(np.append(a[0] != b[0], True))[0] for a, b in zip(exact, other, strict=True)]
    error = [np.max(np.abs(a[1] - b[1]) / np.maximum(a[1], 1e-3)) for a, b in zip(exact, other, strict=True)]
    l1 = [b[2] - a[2] for a, b in zip(exact, other, strict=True)]
    return {
        "same_rows": float(np.mean(same)),
        "first_other_pick": int(min(first)),
        "variance_error": float(max(error)),
        "l1_change": float(np.mean(l1)),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="experiments.precision", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds: expected an integer of at least 1, got {args.seeds}")
    found, rows = pools(args.seeds), {}
    print(f"{'':42}{'same rows':>12}{'first other':>12}{'variance':>12}{'L1 score':>12}")
    for name in STRATEGIES:
        exact = [pick(pool, name, None, None, "float32") for pool in found]
        for mode, settings in MODES.items():
            row = rows[f"{name}, {mode}"] = compare(exact, [pick(pool, name, *settings) for pool in found])
            cells = f"{row['same_rows']:12.1%}{row['first_other_pick']:12}{row['variance_error']:12.1e}"
            print(f"{f'{name}, {mode}':42}{cells}{row['l1_change']:+12.3f}", flush=True)
    if args.json:
        files.write_json(args.json, {"environment": environment(), "seeds": args.seeds, "rows": rows})


if __name__ == "__main__":
    main()
