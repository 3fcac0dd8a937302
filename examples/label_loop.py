"""Ask for one row, take its label, ask again: nothing is trained, and one may stop after any label and go on later.

    python examples/label_loop.py answers.csv --labels 200

The last layer starts without any label, at weights of zero, and every label moves it in closed form. The answers lie in
a file, a row and its label in each line. Whoever calls again with the same file goes on after the last of them: the
answers are taken in once more, in their order, and the state is the one it was.
"""

import argparse
import csv
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle, datasets, laplace, metrics, random_features


def load():  # yours: features of every row [N, D], of length about 1, and the number of classes
    letter = datasets.load("letter", 26, test_rows=5000)
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, datasets.Imbalance())  # half of the letters get rare
    rows = pool.rows[pool.available]
    attributes = datasets.standardize(letter)[0][rows]
    draws = random_features.init(jax.random.key(1), attributes.shape[1], 256)
    return np.asarray(random_features.apply(draws, attributes, 8.0)), letter.y_train[rows], 26


def ask(row, truth):  # yours: shows the row to a person, who gives a class, or -1 to skip it
    return int(truth[row])


def take_in(state, phi, row, label):
    return cycle.update(state, phi, jnp.array([row]), jnp.array([label]))


def main():
    parser = argparse.ArgumentParser(description="Asks for one row at a time; goes on where the answers end.")
    parser.add_argument("answers", type=pathlib.Path, help="file of the answers, made if it is not there")
    parser.add_argument("--labels", type=int, default=200, help="how many rows to ask for in this sitting")
    parser.add_argument("--lam", type=float, default=0.1, help="how much the balance of the classes counts")
    flags = parser.parse_args()

    features, truth, num_classes = load()
    phi, everything = jnp.asarray(features), jnp.ones(len(features), bool)
    prior = laplace.fit(jnp.zeros((num_classes, phi.shape[1])), phi, ~everything)  # no row is labelled
    state = cycle.init(prior, phi, everything, jnp.zeros(num_classes, int))
    if flags.answers.exists():
        for row, label in csv.reader(flags.answers.read_text().splitlines()):
            state = take_in(state, phi, int(row), int(label))
        print(f"{state.counts.sum()} labels were there")

    with flags.answers.open("a", buffering=1) as file:  # a line is written once it is whole
        for _ in range(flags.labels):
            (row,), info = cycle.query(state, jax.random.key(0), lam=flags.lam)
            if not info.num_selected:
                break  # the pool has run out
            label = ask(int(row), truth)
            state = take_in(state, phi, row, label)
            file.write(f"{row},{label}\n")

    left = np.asarray(state.available)  # in real life nobody knows the truth of these
    score = metrics.macro_f1(jnp.asarray(truth[left]), jnp.argmax(state.logits, axis=1)[left], num_classes)
    print(f"{state.counts.sum()} labels, {state.counts.min()} to {state.counts.max()} of a class")
    print(f"macro F1 of the rows without a label: {score:.3f}")


if __name__ == "__main__":
    main()
