"""What float32 loses over many labels, against float64: python -m experiments.bench.drift [--json FILE]

Takes in labels one by one (`updates.rank_one`, `updates.refresh`) and holds the variances of a pool against an inverse
in float64 NumPy with the same curvatures. Every feature is there twice: what the labels tell shrinks the sum of a pair
and leaves its difference at the prior, so that the condition of the covariance grows with the labels and with the
square of --scales.
"""

import argparse
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle, laplace, rounding, updates
from alfamous_jax.core.numerics import dot
from alfamous_jax.laplace import Posterior
from experiments.store import files
from experiments.store.environment import environment

ROWS, CLASSES = 500, 3
HEADER = ("scale", "labels", "condition", "error", "drift", "definite", "recomputed")


@jax.jit
def absorb(
    state: cycle.PoolState, phi: jax.Array, rows: jax.Array, labels: jax.Array
) -> tuple[cycle.PoolState, jax.Array]:
    """Labels one after the other, and the curvature that each took; a row may come again, unlike in `cycle.update`."""

    def step(state: cycle.PoolState, answer: tuple[jax.Array, jax.Array]) -> tuple[cycle.PoolState, jax.Array]:
        row = phi[answer[0]]
        posterior, change = updates.rank_one(state.posterior, row, answer[1])
        logits, variance = updates.refresh(state.logits, state.variance, phi, change)
        weight = laplace.curvature(dot(posterior.mean, row))
        return state._replace(posterior=posterior, logits=logits, variance=variance), weight

    return jax.lax.scan(step, state, (rows, labels))


def _exact(phi: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The covariance of labelled rows in float64, given their curvatures."""
    return np.linalg.inv(np.eye(phi.shape[1]) + (phi.T * weights) @ phi)


def _error(variance: jax.Array, cov: np.ndarray, phi: np.ndarray) -> float:
    exact = np.sum(phi @ cov * phi, axis=1)
    return float(np.max(np.abs(np.asarray(variance, float) - exact) / exact))


def measure(scale: float, counts: list[int], width: int, seed: int = 0) -> list[dict[str, Any]]:
    """A row for each number of labels.

    Args:
      scale: of the features, whose squared norm is `scale`^2 on average.
      counts: numbers of labels after which to look, rising.
      width: D, even.
      seed: of features, labels and their order.

    Returns:
      condition of the exact covariance, largest relative error of a variance of the pool, `updates.drift` of the rows
      labelled last, whether the float32 covariance has a Cholesky factor, and the largest error after
      `rounding.recompute`.
    """
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(ROWS, width // 2)) * scale / np.sqrt(width)
    phi = np.concatenate([half, half], axis=1).astype(np.float32)
    rows, labels = rng.integers(0, ROWS, counts[-1]), rng.integers(0, CLASSES, counts[-1])
    start = Posterior(jnp.zeros((CLASSES, width)), jnp.eye(width))
    state = cycle.init(start, jnp.asarray(phi), jnp.ones(ROWS, bool), jnp.zeros(CLASSES, int))
    wide, found, weights, before = phi.astype(float), [], np.zeros(0), 0
    for count in counts:
        state, taken = absorb(state, phi, rows[before:count], labels[before:count])
        weights = np.append(weights, taken)
        known, last = phi[rows[:count]], rows[max(before, count - 100) : count]
        anew = rounding.recompute(state, phi, known, np.ones(count, bool))
        cov = _exact(known.astype(float), weights)
        curvatures = laplace.curvature(dot(jnp.asarray(known), state.posterior.mean.T))
        there = _exact(known.astype(float), np.asarray(curvatures, float))
        found.append({
            "scale": scale, "labels": count, "condition": float(np.linalg.cond(cov)),
            "error": _error(state.variance, cov, wide),
            "drift": float(rounding.drift(state, phi, last)),
            "definite": bool(np.isfinite(np.linalg.norm(jnp.linalg.cholesky(state.posterior.cov)))),
            "recomputed": _error(anew.variance, there, wide),
        })  # fmt: skip
        before = count
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="experiments.bench.drift", description=__doc__.splitlines()[0])
    parser.add_argument("--scales", default="1,10,100,1000,10000,100000", help="of the features, by comma")
    parser.add_argument("--labels", default="10,100,1000,10000", help="when to look, rising, by comma")
    parser.add_argument("--features", type=int, default=128, help="D, even")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    try:
        scales, counts = [float(x) for x in args.scales.split(",")], [int(x) for x in args.labels.split(",")]
    except ValueError as error:
        parser.error(f"--scales and --labels: expected numbers by comma, {error}")
    if min(scales) <= 0 or min(counts) < 1 or sorted(set(counts)) != counts or args.features < 2 or args.features % 2:
        parser.error("expected --scales above 0, --labels of at least 1 that rise, and an even number of --features")
    print("| " + " | ".join(HEADER) + " |\n" + "| --: " * len(HEADER) + "|")
    rows = []
    for scale in scales:
        for row in measure(scale, counts, args.features):
            numbers = [f"{row[name]:.0e}" for name in ("error", "drift", "recomputed")]
            cells = f"{scale:g}", f"{row['labels']:,}", f"{row['condition']:.0e}", *numbers[:2]
            print("|", " | ".join((*cells, "yes" if row["definite"] else "no", numbers[2])), "|", flush=True)
            rows.append(row)
    if args.json:
        files.write_json(args.json, {"environment": environment(), "features": args.features, "rows": rows})


if __name__ == "__main__":
    main()
