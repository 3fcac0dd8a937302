"""Generated selection problems and what scipy's HiGHS makes of them."""

from typing import NamedTuple

import numpy as np
import scipy.sparse
from scipy.optimize import LinearConstraint, linprog, milp


class Instance(NamedTuple):
    """The array arguments of a selector, in order."""

    utility: np.ndarray
    probs: np.ndarray
    demand: np.ndarray


def generate(family: str, rows: int, classes: int, budget: int, seed: int = 0) -> Instance:
    """A pool with predictions of a middling classifier.

    Family A: entropy, half of the classes at a tenth, the demand after a labelled set as imbalanced. Family B: least
    confidence, exponential tail down to .05, the same demand for all classes, which can nearly be met exactly.
    """
    rng = np.random.default_rng([seed, rows, classes, budget])
    ranks = np.arange(classes)
    weight = np.where(ranks < classes / 2, 1.0, 0.1) if family == "A" else 0.05 ** (ranks / max(classes - 1, 1))
    share = weight / weight.sum()
    labels = rng.choice(classes, rows, p=share)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += rng.uniform(0, 6, rows)
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs = (probs / probs.sum(1, keepdims=True)).astype(np.float32)
    if family == "A":
        utility = -np.sum(probs * np.log(np.maximum(probs, 1e-30)), 1)
        counts = rng.multinomial(2 * budget, share)
        demand = np.maximum(3 * budget / classes - counts, 0)
    else:
        utility = 1 - probs.max(1)
        demand = np.full(classes, budget / classes)
    return Instance(utility.astype(np.float32), probs, demand.astype(np.float32))


def highs_lp(instance: Instance, lam: float, budget: int, method: str = "highs-ds", time_limit: float = 600.0):
    """Value and z of the LP relaxation; raises where HiGHS does not finish."""
    costs, matrix, right = _programme(instance, lam, budget)
    bounds = [(0, 1)] * len(instance.utility) + [(0, None)] * (2 * len(instance.demand))
    options = {"time_limit": time_limit}
    done = linprog(costs, A_eq=matrix, b_eq=right, bounds=bounds, method=method, options=options)
    if done.status != 0:
        raise RuntimeError(done.message)
    return done.fun, done.x[: len(instance.utility)]


def highs_milp(instance: Instance, lam: float, budget: int, fixed: np.ndarray, time_limit: float = 60.0):
    """The proven optimum with some rows fixed at 0 or 1 (NaN: free), or None."""
    costs, matrix, right = _programme(instance, lam, budget)
    rows, slack = len(instance.utility), 2 * len(instance.demand)
    lower = np.concatenate([np.nan_to_num(fixed, nan=0.0), np.zeros(slack)])
    upper = np.concatenate([np.nan_to_num(fixed, nan=1.0), np.full(slack, np.inf)])
    integral = np.concatenate([np.ones(rows), np.zeros(slack)])
    done = milp(
        costs,
        constraints=LinearConstraint(matrix, right, right),
        bounds=(lower, upper),
        integrality=integral,
        options={"time_limit": time_limit, "mip_rel_gap": 1e-7},
    )
    return done.fun if done.status == 0 else None


def _programme(instance, lam, budget):
    """z, then the demand missed and the demand exceeded: P'z + missed - exceeded = demand, sum z = budget."""
    utility, probs, demand = (np.asarray(x, np.float64) for x in instance)
    rows, classes = probs.shape
    costs = np.concatenate([-utility, np.full(2 * classes, lam)])
    coverage = scipy.sparse.hstack(
        [scipy.sparse.csr_matrix(probs.T), scipy.sparse.eye(classes), -scipy.sparse.eye(classes)]
    )
    size = scipy.sparse.csr_matrix((np.ones(rows), (np.zeros(rows, int), np.arange(rows))), (1, rows + 2 * classes))
    return costs, scipy.sparse.vstack([coverage, size]).tocsc(), np.concatenate([demand, [budget]])
