"""A balanced batch from the probabilities of any classifier, and how far from the best batch it can be at most.

    python examples/fixed_batch.py

Nothing here needs JAX but the selection: scikit-learn trains, and `balance_lp.select_batch` gets its probabilities as
an array. A row is worth asking for where the two most probable classes are close (`acquisition.margin`). `lam` says
how much it counts that classes which are short of labels get theirs; 0 is the margin alone.
"""

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression

from alfamous_jax import acquisition, balance, balance_lp, datasets

BUDGET, NUM_CLASSES = 100, 26


def load():  # yours: features of all rows [N, F], and which are labelled
    letter = datasets.load("letter", NUM_CLASSES, test_rows=5000)
    pool = datasets.imbalanced_pool(jax.random.key(0), letter, datasets.Imbalance())  # half of the letters get rare
    labelled = np.zeros(len(pool.rows), bool)
    labelled[datasets.initial_rows(jax.random.key(1), pool, 300)] = True
    real = pool.available
    return datasets.standardize(letter)[0][pool.rows[real]], letter.y_train[pool.rows[real]], labelled[real]


def main():
    x, y, labelled = load()
    classifier = LogisticRegression(max_iter=1000).fit(x[labelled], y[labelled])
    probs = np.zeros((len(x), NUM_CLASSES), np.float32)  # a class that has no label yet keeps a column of zeros
    probs[:, classifier.classes_] = classifier.predict_proba(x)

    counts = np.bincount(y[labelled], minlength=NUM_CLASSES)
    demand = balance.class_demand(counts, counts.sum() + BUDGET)  # what each class lacks of an equal share [K]
    utility = acquisition.margin(probs)
    rare = np.bincount(y, minlength=NUM_CLASSES) < len(y) / NUM_CLASSES / 2
    print(f"{rare.sum()} of {NUM_CLASSES} classes are rare: {rare[y].mean():.0%} of the rows")
    print("   lam  objective      bound     gap  rows of rare classes")
    for lam in (0.0, 0.1, 0.5):
        batch = balance_lp.select_batch(utility, probs, demand, lam, ~labelled, budget=BUDGET)
        found = rare[y[np.asarray(batch.indices)]].sum()
        gap = batch.objective - batch.bound
        print(f"{lam:6.1f} {batch.objective:10.4f} {batch.bound:10.4f} {gap:7.4f}  {found} of {BUDGET}")


if __name__ == "__main__":
    main()
