"""The first images that every strategy of a finished run asks for: VaB-AL Fig. 5.

    export PYTHONPATH=.
    python examples/top_images.py results/vabal/fmnist --strategies=random,bald-mc,vabal --out top-images.png

A row of images for each strategy, the one that it wants most on the left; below each stands its class, and a frame
marks the classes that the run has cut. At cycle 0 all strategies ask networks that were trained on the same labels.
"""

import argparse
import pathlib

import numpy as np
from matplotlib.figure import Figure
from ml_collections import FrozenConfigDict

from experiments.learning import problem
from experiments.report.runs import load_records
from experiments.store.files import read_json
from experiments.store.same_config import completed


def main():
    parser = argparse.ArgumentParser(description="Draws the first images that strategies ask for.")
    parser.add_argument("run", type=pathlib.Path)
    for name, default in {"seed": 0, "cycle": 0, "images": 10}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--strategies", default="", help="some of those that were run, with commas between them")
    parser.add_argument("--out", default="top-images.png")
    flags = parser.parse_args()
    config = FrozenConfigDict(completed(read_json(flags.run / "config.json")))
    data = problem.load_dataset(config)
    records = [r for r in load_records(flags.run) if (r["seed"], r["cycle"]) == (flags.seed, flags.cycle)]
    wanted = flags.strategies.split(",") if flags.strategies else [r["strategy"] for r in records]
    records = [r for r in records if r["strategy"] in wanted]
    figure = Figure(figsize=(1 + 0.75 * flags.images, 0.95 * len(records)), layout="constrained")
    axes = figure.subplots(len(records), flags.images, squeeze=False, subplot_kw={"xticks": [], "yticks": []})
    cut = config.minority if isinstance(config.minority, tuple) else ()
    for record, row in zip(records, axes, strict=True):
        row[0].set_ylabel(record["strategy"].replace("@", "\n@"), rotation=0, ha="right", va="center", fontsize=8)
        for axis, place in zip(row, record["selected"][: flags.images], strict=True):
            label = int(data.y_train[place])
            axis.imshow(data.x_train[place].squeeze(), cmap="gray_r")
            axis.set_xlabel(data.class_names[label] if data.class_names else f"class {label + 1}", fontsize=6)
            for spine in axis.spines.values():
                spine.set(color="#0072B2" if label in cut else "#cccccc", linewidth=2 if label in cut else 0.5)
    kept = [np.isin(data.y_train[r["selected"][: flags.images]], cut).sum() for r in records]
    for record, number in zip(records, kept, strict=True):
        print(f"{record['strategy']:18} {number} of the first {flags.images} are of a class that is cut")
    figure.savefig(flags.out, dpi=80)


if __name__ == "__main__":
    main()
