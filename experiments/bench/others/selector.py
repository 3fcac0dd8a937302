"""`experiments.bench selector`: the batch selector against HiGHS on generated instances, lazy greedy against naive."""

import argparse
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import balance, balance_lp
from experiments.bench.others import instances

SIZES = {  # rows, classes, budget
    "XS": (2_000, 10, 50),
    "S": (5_000, 10, 100),
    "M": (27_481, 10, 300),
    "L10": (45_000, 10, 2_500),
    "L100": (45_000, 100, 2_500),
    "XL": (90_000, 200, 4_500),
}
LAMS = (0.1, 0.5, 2.0)
SIMPLEX_ENTRIES = 5_000_000  # beyond as many entries in P HiGHS runs by its interior-point method alone


def measure(args: argparse.Namespace, timed) -> dict:
    """One row per instance: seconds of the whole selection, of HiGHS's LP alone and of one pass over P; the gaps.

    Args:
      args: `sizes`, names in `SIZES`; `highs`, whether to run HiGHS.
      timed: measures a jitted function and its arguments.

    Returns:
      rows by name; gaps are relative to the bound, `gap_labels` is the gap over lam K.
    """
    rows = {}
    for size in args.sizes.split(","):
        num_rows, num_classes, budget = SIZES[size]
        select = jax.jit(partial(balance_lp.select_batch, budget=budget))
        dual = jax.jit(partial(balance_lp.solve_dual, budget=budget))
        greedy = jax.jit(partial(balance.select_greedy, budget=budget))
        scores = jax.jit(lambda utility, probs, nu: utility + dot(probs, nu))
        for family in "AB":
            instance = instances.generate(family, num_rows, num_classes, budget)
            utility, probs, demand = map(jnp.asarray, instance)
            one_pass = timed(scores, utility, probs, demand, repeats=50)["median_s"]
            for lam in LAMS:
                arrays = (utility, probs, demand, jnp.float32(lam), jnp.ones(num_rows, bool))
                row = timed(select, *arrays, repeats=args.repeats)
                batch, greedy_batch, solved = select(*arrays), greedy(*arrays), dual(*arrays)
                row["dual_s"] = timed(dual, *arrays, repeats=args.repeats)["median_s"]
                row["greedy_s"] = timed(greedy, *arrays, repeats=args.repeats)["median_s"]
                row["pass_s"], row["passes"] = one_pass, row["median_s"] / one_pass
                bound = float(batch.bound)
                row["windows"] = int(solved.num_iterations)
                row["gap"] = (float(batch.objective) - bound) / abs(bound)
                row["gap_labels"] = (float(batch.objective) - bound) / lam / num_classes
                row["greedy_gap"] = (float(greedy_batch.objective) - bound) / abs(bound)
                row["top_utility_gap"] = (_top_utility(instance, lam, budget) - bound) / abs(bound)
                if args.highs:
                    value, z, row["highs_s"] = _highs(instance, lam, budget)
                    row["speedup"] = row["highs_s"] / row["median_s"]
                    row["bound_error"] = (value - bound) / abs(value)
                    rounded = np.argsort(-z, kind="stable")[:budget]
                    row["rounded_gap"] = (_objective(instance, lam, rounded) - bound) / abs(bound)
                rows[f"{size} {family} {lam}"] = row
    return rows


def measure_greedy(timed) -> dict:
    """Lazy against naive greedy at (45,000, 10, 2,500), and whether they pick the same rows."""
    num_rows, num_classes, budget = SIZES["L10"]

    @jax.jit
    def naive(utility, probs, demand, lam, available):
        def pick(carry, _):
            residual, free = carry
            best = jnp.argmax(jnp.where(free, balance.marginal(utility, probs, residual, lam), -jnp.inf))
            return (residual - probs[best], free.at[best].set(False)), best

        return jax.lax.scan(pick, (demand, available), length=budget)[1]

    lazy = jax.jit(partial(balance.select_greedy, budget=budget))
    rows = {}
    for family in "AB":
        arrays = (*map(jnp.asarray, instances.generate(family, num_rows, num_classes, budget)), jnp.float32(0.5))
        arrays = (*arrays, jnp.ones(num_rows, bool))
        row = timed(lazy, *arrays, repeats=5)
        row["naive_s"] = timed(naive, *arrays, repeats=3)["median_s"]
        row["speedup"] = row["naive_s"] / row["median_s"]
        row["same_picks"] = int(jnp.all(lazy(*arrays).indices == naive(*arrays)))
        rows[f"lazy greedy L10 {family} 0.5"] = row
    return rows


def _highs(instance, lam, budget):
    """Value, z and seconds of HiGHS's LP by the faster of its two methods; of one alone where P is large."""
    best = None
    methods = ("highs-ipm",) if instance.probs.size > SIMPLEX_ENTRIES else ("highs-ds", "highs-ipm")
    for method in methods:
        start = time.perf_counter()
        value, z = instances.highs_lp(instance, lam, budget, method)
        seconds = time.perf_counter() - start
        if best is None or seconds < best[2]:
            best = value, z, seconds
    return best


def _objective(instance, lam, indices):
    utility, probs, demand = (np.asarray(x, float) for x in instance)
    return -utility[indices].sum() + lam * np.abs(demand - probs[indices].sum(0)).sum()


def _top_utility(instance, lam, budget):
    return _objective(instance, lam, np.argsort(-instance.utility, kind="stable")[:budget])
