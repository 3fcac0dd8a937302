"""What the four strategies ask for on a pool of two classes in the plane: AL-FaMoUS Fig. 2, with numbers to it.

    python examples/toy.py --out toy.png

Two classes lie in three pairs of heaps, one of them with a tenth of the other's rows; 12 rows of the one and 2 of the
other are labelled. The table has means over 40 pools that are drawn alike, ± one standard error: rows of the minor
class in a batch, and how far its rows lie apart. The figure shows the pool that comes nearest to these means. The heaps
are laid out for the paper's effects; with --gap .4 they overlap, and CB finds fewer minor rows than the baseline.
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from alfamous_jax import cycle, laplace, metrics, random_features
from alfamous_jax.networks import map_head

POOLS, BUDGET, LAM, SIZES = 40, 8, 0.5, (60, 6)
STRATEGIES = {"baseline": (0, 1, 0.0), "CB": (0, BUDGET, LAM), "FBU": (1, 1, 0.0), "AL-FaMoUS": (1, 1, LAM)}
DRAWS = random_features.init(jax.random.key(1), 2, 96)
Y, HEAP = np.array([(y, heap) for y in (0, 1) for heap in (-1, 0, 1) for _ in range(SIZES[y])]).T


def batches(key, gap):
    """Of one pool: rows, which are labelled, weights; of every strategy picks, how many are minor, their distance."""
    rows_key, first_key = jax.random.split(key)
    x = np.stack([2.5 * HEAP, gap * (1 - 2 * Y)], axis=1) + 0.45 * jax.random.normal(rows_key, (len(Y), 2))
    order = jnp.argsort(jax.random.uniform(first_key, Y.shape) + 2.0 * Y)
    labelled = jnp.zeros(len(Y), bool).at[jnp.concatenate([order[:12], order[-2:]])].set(True)
    phi, y = random_features.apply(DRAWS, x, 0.5), jnp.asarray(Y)
    mean = map_head.fit(phi, y, labelled, 2, 0.1)[0]
    pool = laplace.fit(mean, phi, labelled, ridge=0.1), phi, y, ~labelled, jnp.array([12, 2])
    found = []
    for update, minibatch, lam in STRATEGIES.values():  # do labels move the posterior, rows of a query, balance
        _, info = cycle.run(key, *pool, update=bool(update), minibatch=minibatch, lam=lam, budget=BUDGET)
        found.append((info.indices, y[info.indices].sum(), metrics.euclidean_diversity(x[info.indices])))
    return x, labelled, mean, *map(jnp.stack, zip(*found, strict=True))


def main():
    parser = argparse.ArgumentParser(description="Draws the toy of AL-FaMoUS.")
    parser.add_argument("--out", default="toy.png")
    parser.add_argument("--gap", type=float, default=0.8, help="half the distance between the heaps of a pair")
    flags = parser.parse_args()
    pools = jax.jit(jax.vmap(partial(batches, gap=flags.gap)))(jax.random.split(jax.random.key(0), POOLS))
    x, labelled, mean, picks, *scores = map(np.asarray, pools)
    print(f"{BUDGET} rows, {POOLS} pools     minor class       distance")
    for i, name in enumerate(STRATEGIES):
        print(f"{name:20}", *(f"{s[:, i].mean():8.2f} ± {s[:, i].std(ddof=1) / POOLS**0.5:.2f}" for s in scores))
    n = np.argmin(sum(np.square((s - s.mean(0)) / (s.std(0) + 1e-9)).sum(1) for s in scores))
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    grid = np.stack(np.meshgrid(np.linspace(-4.2, 4.2, 160), np.linspace(-2.4, 2.4, 90)), -1)
    probs = jax.nn.softmax(random_features.apply(DRAWS, grid, 0.5) @ mean[n].T)[..., 1]
    for i, axis in enumerate(figure.subplots(1, 4, sharex=True, sharey=True)):
        axis.contourf(grid[..., 0], grid[..., 1], probs, 10, cmap="RdBu", alpha=0.35)
        for k, look in enumerate(({"c": "#D55E00", "marker": "o"}, {"c": "#0072B2", "marker": "^"})):
            axis.scatter(*x[n, Y == k].T, 8, **look, alpha=0.6, linewidths=0)
            axis.scatter(*x[n, labelled[n] & (Y == k)].T, 36, **look, edgecolors="black")
        axis.scatter(*x[n, picks[n, i]].T, 90, "none", marker="s", edgecolors="black", linewidths=1.3)
        axis.set_title(f"{list(STRATEGIES)[i]}: {scores[0][n, i]} of {BUDGET} of the minor class", fontsize=9)
    figure.savefig(flags.out, dpi=110)


if __name__ == "__main__":
    main()
