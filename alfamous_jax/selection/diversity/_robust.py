"""Core-set as its authors solve it: k-center by integer programming, a few rows left out (Sener and Savarese, 2018)."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from alfamous_jax.core import contract
from alfamous_jax.core.contract import Selection

MOST_ROWS = 8192  # whose distances are held, 512 MB


def k_center_robust(
    features: ArrayLike,
    labelled: ArrayLike,
    available: ArrayLike,
    *,
    budget: int,
    outliers: float = 1e-4,
    seconds: float = 60.0,
) -> Selection:
    """The batch with the smallest covering radius once a share of the rows is left out, by integer programming.

    Minimises how far the row that is farthest from every centre is from the nearest, the rows left out aside.
    Bisects the radii that there are, from half the greedy one up to it; at each asks HiGHS whether budget centres
    more cover all rows but the outliers. On the host, in seconds to minutes; `k_center` is the greedy form, within
    a factor of two of the radius without outliers.

    Args:
      features: [N, H].
      labelled: the centres to start from [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b; where it is not below the number of available rows, all of these are selected.
      outliers: share of the available and labelled rows that need not be covered, rounded down; 1e-4 in the paper.
      seconds: for each question to HiGHS; a radius that it does not decide on counts as not reached.

    Returns:
      the selection in the order of the rows, NumPy arrays; its objective is the radius that covers all rows but the
      outliers, its bound the smallest radius that no answer has ruled out.

    Raises:
      ValueError: budget below 1, or more than 8,192 rows to cover.

    Examples:
      >>> from alfamous_jax import diversity
      >>> features, labelled = [[0.0], [1.0], [4.0], [5.0], [6.0]], [True, False, False, False, False]
      >>> batch = diversity.k_center_robust(features, labelled, [False, True, True, True, True], budget=1)
      >>> batch.indices.tolist(), batch.objective.item()  # greedy takes the row at 6, which leaves the one at 4
      ([3], 1.0)
    """
    rows, known, free = (np.asarray(x) for x in (features, labelled, available))
    found = _solve(rows, known, free, budget, outliers, seconds)
    numbers = np.float32(found.radius), np.float32(min(found.bound, found.radius))
    fields: list[Any] = [found.indices, np.int32(np.sum(found.indices >= 0)), np.int32(found.num_invalid), *numbers]
    return Selection(*fields)


class _Cover(NamedTuple):
    """A solution on the host."""

    indices: np.ndarray  # [b], int32, -1 where no row was left
    num_invalid: int
    radius: float
    bound: float


def _solve(
    features: np.ndarray, labelled: np.ndarray, available: np.ndarray, budget: int, outliers: float, seconds: float
) -> _Cover:
    """The same with checked arrays; nothing calls JAX, so that a callback may."""
    from scipy.spatial import distance  # not with the package: SciPy's solvers take a while to import

    contract.check_budget(budget)
    rows = np.asarray(features, float).reshape(len(features), -1)
    finite, known = np.isfinite(rows).all(axis=1), np.asarray(labelled, bool)
    free = np.flatnonzero(np.asarray(available, bool) & finite & ~known)
    num_invalid = int((np.asarray(available, bool) & ~finite).sum())
    centres = rows[known & finite]
    if len(free) > MOST_ROWS:
        raise ValueError(f"available: {len(free):,} rows have too many distances, at most {MOST_ROWS:,} are taken")
    indices = np.full(budget, -1, np.int32)
    if budget >= len(free):
        indices[: len(free)] = free
        return _Cover(indices, num_invalid, 0.0, 0.0)
    spare = math.floor(outliers * (len(free) + len(centres)) + 1e-9)
    near = distance.cdist(rows[free], centres).min(axis=1) if len(centres) else np.full(len(free), np.inf)
    apart = distance.squareform(distance.pdist(rows[free]))
    best = _greedy(apart, near, budget)
    radius = _radius(apart, near, best, spare)
    radii = np.unique(np.concatenate([apart.ravel(), near[np.isfinite(near)]]))
    # Without outliers nothing below half of the greedy radius can be; with them the bisection begins at 0.
    half = 0.0 if spare else radius / 2
    low, high = int(np.searchsorted(radii, half * (1 - 1e-12))), int(np.searchsorted(radii, radius))
    bound = low  # place of the least radius that is not ruled out
    while low < high:
        middle = (low + high) // 2
        found, ruled_out = _cover(apart, near, radii[middle], budget, spare, seconds)
        if found is None:
            low, bound = middle + 1, middle + 1 if ruled_out else bound
        else:
            best, radius = found, _radius(apart, near, found, spare)
            high = min(middle, int(np.searchsorted(radii, radius)))
    indices[:] = free[best]
    return _Cover(indices, num_invalid, radius, min(float(radii[bound]), radius))


def _cover(
    apart: np.ndarray, near: np.ndarray, radius: float, budget: int, spare: int, seconds: float
) -> tuple[np.ndarray | None, bool]:
    """Positions of centres that cover all but `spare` rows within a radius, if any were found; whether none can be."""
    from scipy import optimize, sparse

    num = len(near)
    bare = np.flatnonzero(near > radius)
    covers = sparse.csr_matrix(apart[bare] <= radius, dtype=float)
    left_out = sparse.eye_array(len(bare), format="csr")
    total = sparse.csr_matrix(np.r_[np.ones(num), np.zeros(len(bare))][None])
    spared = sparse.csr_matrix(np.r_[np.zeros(num), np.ones(len(bare))][None])
    rules = [
        optimize.LinearConstraint(total, budget, budget),
        optimize.LinearConstraint(spared, -np.inf, spare),
    ]
    if len(bare):
        rules.append(optimize.LinearConstraint(sparse.hstack([covers, left_out]), 1, np.inf))
    size = num + len(bare)
    found = optimize.milp(
        np.zeros(size), constraints=rules, integrality=np.ones(size), bounds=(0, 1), options={"time_limit": seconds}
    )
    return (None, found.status == 2) if found.x is None else (np.flatnonzero(found.x[:num] > 0.5), False)


def _greedy(apart: np.ndarray, near: np.ndarray, budget: int) -> np.ndarray:
    near, chosen = near.copy(), np.zeros(len(near), bool)
    for _ in range(budget):
        pick = int(np.argmax(np.where(chosen, -1.0, near)))
        chosen[pick] = True
        near = np.minimum(near, apart[pick])
    return np.flatnonzero(chosen)


def _radius(apart: np.ndarray, near: np.ndarray, chosen: np.ndarray, spare: int) -> float:
    """Of the rows sorted by how far they are from a centre, that of the last one which is no outlier."""
    least = np.sort(np.minimum(near, apart[chosen].min(axis=0)))
    return float(least[len(least) - 1 - spare]) if spare < len(least) else 0.0
