"""Centroid balancing by loops over rows, in float64."""

import numpy as np

K = 4


def loops(features, labels, labelled, available, utility, budget, order):
    """Centroids taken anew for every pick."""
    x, known, left, picks = features.astype(np.float64), labelled.copy(), available.copy(), []
    for _ in range(min(budget, available.sum())):
        counts = np.bincount(labels[known], minlength=K)
        found = np.flatnonzero(counts)
        mean = counts.sum() // len(found)
        centre = {k: x[known & (labels == k)].mean(axis=0) for k in found}
        majority, minority = [k for k in found if counts[k] >= mean], [k for k in found if counts[k] < mean]

        def near(i, classes, centre=centre):
            return min((np.linalg.norm(x[i] - centre[k]) for k in classes), default=np.inf)

        rows = np.flatnonzero(left)
        if order == "centroid":
            rarest = min(found, key=lambda k: (counts[k], k))
            worth = [near(i, majority) - near(i, [rarest]) for i in rows]
        else:
            inside = [i for i in rows if minority and near(i, minority) <= near(i, majority)]
            rows = np.array(inside or rows)
            worth = utility[rows]
            if order == "core":
                worth = [min(np.linalg.norm(x[i] - x[j]) for j in np.flatnonzero(known)) for i in rows]
        picks.append(int(rows[np.argmax(worth)]))
        left[picks[-1]], known[picks[-1]] = False, True
    return picks
