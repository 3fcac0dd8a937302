"""Single-stage runs as their claims see them; G_AL over data sets, and what the diversification costs."""

from collections.abc import Sequence

import numpy as np

from experiments.paper.groups import Group
from experiments.published import single_stage as published
from experiments.report import single_stage, summary
from experiments.report.markdown import NOTHING, Part, number, plus_minus
from experiments.report.runs import Lanes, Run, of_lanes
from experiments.report.single_stage import FULL


def view(run: Run) -> Run:
    """Accuracies with 0 for a class that was not found; every lane by its scheme, those of the better one without too.

    The better scheme is that of the higher mean over all selections, as in Tables 6 to 9. All labels of the pool stand
    at every budget.
    """
    lanes = [_scored(own, run.last_cycle + 1) for own in run.lanes.values()]
    best = _better_scheme(lanes)
    short = [own._replace(strategy=own.strategy._replace(scheme="")) for own in lanes if own.strategy.scheme == best]
    return of_lanes(run, lanes + short)


def sections(groups: Sequence[Group]) -> list[Part]:
    """G_AL over the data sets of each kind of pool, and the seconds of choosing rows with and without rounds."""
    parts: list[Part] = []
    for pool in ("imbalanced", "balanced"):
        own = [group for group in groups if pool in group.place.settings]
        if header_and_rows := g_al_table(own, pool):
            parts += [
                f"## G_AL over the data sets, {pool} pools\n\nMean over budgets and data sets of (accuracy - full) / "
                "(100 - full), each data set by its better scheme, full by the better of both (Tables 6 to 9); ± one "
                "standard error over the seeds that all data sets have.",
                header_and_rows,
            ]
    if rows := cost_rows(groups):
        header = ["runs", "selection", "without rounds, s", "with rounds, s", "choices"]
        parts += [
            "## What the diversification costs\n\nSeconds of choosing rows, median over budgets and seeds.",
            (header, rows),
        ]
    return parts


def g_al_table(groups: Sequence[Group], pool: str) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows: G_AL of each selection on every data set and over all that have it; None without a run."""
    runs = [run for group in groups for run in group.runs]
    by_run = [{name: values for name in run.lanes if (values := g_al(run, name))} for run in runs]
    rows = []
    for name in dict.fromkeys(name for values in by_run for name in values):
        have = [values[name] for values in by_run if name in values]
        seeds = sorted(set.intersection(*(set(values) for values in have)))
        overall = summary.estimate(np.mean([[values[seed] for values in have] for seed in seeds], axis=1))
        cells = [number(summary.estimate(values.get(name, {}).values()).mean, 3) for values in by_run]
        row = published.load_accuracy((6 if pool == "imbalanced" else 8) + ("-bal" in name)).get(
            name.replace("-bal", "")
        )
        told = number(row.overall, 3) if row else NOTHING
        rows.append([name, *cells, str(len(have)), plus_minus(overall.mean, overall.se, 3), told])
    header = [
        "selection",
        *(str(run.config.get("dataset")) for run in runs),
        "data sets",
        "G_AL",
        "paper, four data sets",
    ]
    return (header, rows) if rows else None


def g_al(run: Run, name: str) -> dict[int, float]:
    """G_AL by seed of a selection without a scheme in its name, over the budgets; empty for other lanes and without
    all labels of the pool."""
    full = max((single_stage.full_accuracy(run, scheme) for scheme in _schemes(run)), default=np.nan)
    own = run.lanes[name]
    if own.strategy.scheme or name == FULL or np.isnan(full):
        return {}
    seeds, accuracies = summary.complete_curves(run, name, "accuracy")
    return {seed: single_stage.g_al(100 * row, full) for seed, row in zip(seeds, accuracies, strict=True)}


def cost_rows(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text: a selection that was timed with rounds over the source's classes and without."""
    rows = []
    for group in groups:
        times: dict[str, list[float]] = {}
        for row in (row for run in group.runs for row in run.timings if "query_s" in row):
            times.setdefault(str(row.get("strategy")).partition(":")[0], []).append(float(row["query_s"]))
        for name in times:
            if (plain := name.replace("-div", "", 1)) != name and plain in times:
                both = [float(np.median(times[one])) for one in (plain, name)]
                counts = f"{len(times[plain])}, {len(times[name])}"
                rows.append([group.place.title, plain, *(number(seconds, 4) for seconds in both), counts])
    return rows


def _scored(own: Lanes, cycles: int) -> Lanes:
    if own.strategy.short == FULL:
        counts, recall = (np.repeat(values[:, :1], cycles, axis=1) for values in (own.counts, own.recall))
        metrics = {name: np.repeat(values[:, :1], cycles, axis=1) for name, values in own.metrics.items()}
        own = own._replace(metrics=metrics, counts=counts, recall=recall)
    return own._replace(metrics=own.metrics | {"accuracy": single_stage.found_accuracy(own) / 100})


def _better_scheme(lanes: Sequence[Lanes]) -> str:
    means = {
        scheme: np.nanmean([x.metrics["accuracy"].mean() for x in lanes if x.strategy.scheme == scheme])
        for scheme in dict.fromkeys(own.strategy.scheme for own in lanes if own.strategy.short != FULL)
    }
    return max(means, key=lambda scheme: means[scheme], default="")


def _schemes(run: Run) -> list[str]:
    return list(dict.fromkeys(one.scheme for one in run.strategies if one.scheme and one.short == FULL))
