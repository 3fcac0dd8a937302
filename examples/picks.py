"""Where the picks of a batch lie among the rows of the pool, drawn from finished runs: AL-FaMoUS Fig. 3a and 3b.

    export PYTHONPATH=.
    python examples/picks.py results/mnist results/fmnist --out picks.png

A row of panels for each run, a panel for each strategy. The rows of the pool are laid out in the plane by t-SNE on 30
principal components, once for all strategies of a run; at cycle 0 these ask the same network, trained on the same
labels. Above each stand the classes in the batch, and how far its rows lie apart: the mean distance in the plane over
that of as many other rows of the pool.
"""

import argparse
import pathlib

import numpy as np
from matplotlib.figure import Figure
from ml_collections import FrozenConfigDict
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from alfamous_jax import metrics
from experiments.learning import problem
from experiments.report.runs import load_records
from experiments.store.files import read_json
from experiments.store.same_config import completed

STRATEGIES = ("us", "us-cb", "us-fbu", "us-alfamous")


def batches(folder, seed, cycle):  # each strategy's batch, as rows of the training set
    records = [r for r in load_records(folder) if (r["seed"], r["cycle"]) == (seed, cycle)]
    return {r["strategy"]: np.array(r["selected"]) for r in records if r["strategy"] in STRATEGIES}


def layout(x, asked, pool, num_rows):  # all picks and other rows of the pool behind them, and their places
    picked = np.unique(np.concatenate(list(asked.values())))
    others = np.random.default_rng(0).permutation(np.setdiff1d(pool, picked))
    rows = np.concatenate([picked, others[: num_rows - len(picked)]])
    flat = x[rows].reshape(len(rows), -1)
    parts = PCA(min(30, flat.shape[1]), random_state=0).fit_transform(flat)
    return rows, TSNE(random_state=0, init="pca").fit_transform(parts)


def main():
    parser = argparse.ArgumentParser(description="Draws where the picks of a batch lie.")
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    for name, default in {"seed": 0, "cycle": 0, "rows": 2000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", default="picks.png")
    flags = parser.parse_args()
    figure = Figure(figsize=(10, 2.8 * len(flags.runs)), layout="constrained")
    axes = figure.subplots(len(flags.runs), len(STRATEGIES), squeeze=False, subplot_kw={"xticks": [], "yticks": []})
    for folder, panels in zip(flags.runs, axes, strict=True):
        config = FrozenConfigDict(completed(read_json(folder / "config.json")))
        data, asked = problem.load_dataset(config), batches(folder, flags.seed, flags.cycle)
        pool = problem.seed_pool(config, data, flags.seed)
        rows, places = layout(data.x_train, asked, pool.rows[pool.available], flags.rows)
        y = data.y_train[rows]
        for name, axis in zip(STRATEGIES, panels, strict=True):
            here = np.isin(rows, asked[name])
            apart, usual = (metrics.euclidean_diversity(some) for some in (places[here], places[-here.sum() :]))
            axis.scatter(*places.T, 4, y, cmap="tab10", alpha=0.35, linewidths=0)
            axis.scatter(*places[here].T, 14, y[here], cmap="tab10", edgecolors="black", linewidths=0.6)
            axis.set_title(f"{folder.name}, {name}: {len(np.unique(y[here]))} classes, {apart / usual:.2f}", fontsize=9)
    figure.savefig(flags.out, dpi=110)


if __name__ == "__main__":
    main()
