"""How much strategies want rows of a dominant class and of rare ones: VaB-AL Fig. 1, over the whole pool.

    export PYTHONPATH=.
    python examples/importance.py results/vabal/fmnist --out importance.png

A run's first network is trained again, and each strategy orders the rows without a label: 1 is the row it wants most, 0
the one it wants least. Printed are means by kind of class and by whether the network is right, drawn rows at random.
"""

import argparse
import pathlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import FrozenConfigDict
from scipy import spatial, stats

from alfamous_jax import acquisition
from experiments.learning import problem
from experiments.learning.methods import vabal
from experiments.learning.programs import Labelled, setup_of, train
from experiments.learning.programs.look import look
from experiments.plan.strategies import parse
from experiments.store.files import read_json
from experiments.store.same_config import completed


def main():
    parser = argparse.ArgumentParser(description="Rows of dominant and of rare classes.")
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--out", default="importance.png")
    flags = parser.parse_args()
    config = FrozenConfigDict(completed(read_json(flags.run / "config.json")))
    task, keys = problem.build_problem(config, [0]), jax.random.split(jax.random.key(0), 3)
    setups = {name: setup_of(config, parse(name).program("network")) for name in ("vabal", "vabal@authors")}
    method = setups["vabal"].method._replace(needs=("features", "stages", "prob_samples"))
    setup = setups["vabal"]._replace(method=method)
    start = jax.tree.map(lambda leaf: leaf[0], task.variables["network"])
    known = Labelled(task.data, task.pool[0], jnp.asarray(task.initial[0]), jnp.int32(config.initial))
    counts = jnp.bincount(task.data.labels[task.pool[0][known.indices]], length=config.num_classes)
    variables, _ = jax.jit(partial(train, setup))(keys[0], start, known)
    view = jax.jit(lambda *args: look(setup, *args)[2])(keys[1], variables, known, task.available[0], counts)
    logits = view.phi @ view.posterior.mean.T
    worth = {"MC dropout": acquisition.bald(view.prob_samples), "entropy": acquisition.entropy(jax.nn.softmax(logits))}
    worth["Core-set"] = spatial.distance.cdist(view.features, view.features[np.flatnonzero(view.labelled)]).min(axis=1)
    worth |= {k: jax.jit(partial(vabal.score, settings=s.settings))(keys[2], view)[0] for k, s in setups.items()}
    left = np.flatnonzero(view.available)
    order = {name: (stats.rankdata(np.asarray(value)[left]) - 1) / (len(left) - 1) for name, value in worth.items()}
    rare, right = np.isin(view.labels, config.minority)[left], np.asarray(logits.argmax(1) == view.labels)[left]
    kinds, answers = {"dominant": ~rare, "rare": rare}, {"right": right, "wrong": ~right}
    groups = {f"{k}, {a}": rows for k in kinds for a in answers if (rows := kinds[k] & answers[a]).any()}
    print(f"{'rows':>28}" + "".join(f"{name:>15}" for name in order))
    for kind, rows in groups.items():
        print(f"{kind:20}{rows.sum():8,}" + "".join(f"{share[rows].mean():15.2f}" for share in order.values()))
    images = problem.load_dataset(config).x_train[np.asarray(view.rows)[left]]
    figure = Figure(figsize=(9, 6), layout="constrained")
    for line, kind in enumerate(kind for kind in ("dominant, right", "rare, wrong") if kind in groups):
        for column, i in enumerate(np.random.default_rng(0).permutation(np.flatnonzero(groups[kind]))[:4]):
            axis = figure.add_subplot(2, 4, 4 * line + column + 1, xticks=[], yticks=[], ylabel="" if column else kind)
            axis.imshow(images[i].squeeze(), cmap="gray_r")
            axis.set_xlabel("\n".join(f"{name} {share[i]:.2f}" for name, share in order.items()), fontsize=8)
    figure.savefig(flags.out, dpi=80)


if __name__ == "__main__":
    main()
