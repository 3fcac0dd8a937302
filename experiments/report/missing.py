"""What a run lacks of what was asked for: strategies, seeds, cycles; and which records have no score or diversity."""

from collections.abc import Iterable

import numpy as np

from experiments.report.checked import BATCHES
from experiments.report.runs import Run

WITHOUT = {
    "ed_diversity": "a Euclidean diversity (one row has no distances)",
    "kl_diversity": "a KL diversity (features below 0 are no distribution)",
}


def ranges(numbers: Iterable[int]) -> str:
    """0, 1, 2, 5 as "0-2, 5"."""
    found: list[list[int]] = []
    for n in sorted(numbers):
        if found and n == found[-1][1] + 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def missing(run: Run, names: Iterable[str]) -> list[str]:
    """`gaps` of a run: the seeds and cycles are those of its config, or of its records without one."""
    first, count = run.config.get("first_seed", 0), run.config.get("seeds")
    seeds = range(first, first + count) if isinstance(count, int) else count or run.seeds
    return gaps(run, names, seeds, run.config.get("cycles") or run.last_cycle)


def gaps(run: Run, names: Iterable[str], seeds: Iterable[int], cycles: int) -> list[str]:
    """What a run lacks of `names` x `seeds` x cycles 0 to `cycles`, one phrase for each gap; and the null scores."""
    wanted = list(dict.fromkeys([*names, *run.lanes]))
    absent = [name for name in wanted if name not in run.lanes]
    phrases: dict[str, list[str]] = {}
    for name in wanted:
        for gap, group in _lacking(run, name, seeds, cycles).items():
            phrases.setdefault(f"seeds {ranges(group)}: without cycles {gap}", []).append(name)
    lines = [f"{', '.join(absent)}: not run"] if absent else []
    lines += [f"{', '.join(group)}, {phrase}" for phrase, group in phrases.items()]
    for name, own in ((name, run.lanes[name]) for name in wanted if name in run.lanes):
        nulls = int((own.recorded & np.isnan(own.metrics["cbi"])).sum())
        lines += [f"{name}: {nulls} records without a CBI (degenerate counts), left out of its mean"] if nulls else []
    return lines + [line for metric in BATCHES for line in _batches_without(run, metric)]


def _batches_without(run: Run, metric: str) -> list[str]:
    """How many batches have no number for a diversity, in one line for all strategies; a batch has one of them."""
    nulls = {}
    for name, own in run.lanes.items():
        known = np.any([~np.isnan(own.metrics[other]) for other in BATCHES], axis=0)
        nulls[name] = int((known & np.isnan(own.metrics[metric])).sum()), int(known.sum())
    found = [name for name, (null, _) in nulls.items() if null]
    if not found:
        return []
    whose = "all strategies" if len(found) == len(run.lanes) else ", ".join(found)
    null, total = (sum(counts) for counts in zip(*(nulls[name] for name in found), strict=True))
    return [f"{whose}: {null} of {total} batches without {WITHOUT[metric]}, left out of its mean"]


def _lacking(run: Run, name: str, seeds: Iterable[int], cycles: int) -> dict[str, list[int]]:
    """Cycles that a strategy lacks, as `ranges`, and its seeds that lack them; none of a strategy not run."""
    lacking: dict[str, list[int]] = {}
    everything = ranges(range(cycles + 1))
    if name in run.lanes:
        own = run.lanes[name]
        known = {seed: set(np.flatnonzero(row)) for seed, row in zip(own.seeds, own.recorded, strict=True)}
        for seed in sorted({*seeds, *own.seeds}):
            gap = ranges(set(range(cycles + 1)) - known[seed]) if seed in known else everything
            lacking.setdefault(gap, []).append(seed)
    lacking.pop("", None)
    return lacking
