"""The page of the benchmark: who leads, on which pools, by how much, and at what cost."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.benchmark import CURVES, PAGE, RANKS, figures, ranking, scores
from experiments.benchmark.pools import HELD_OUT, TUNED
from experiments.report import REPORT, summary
from experiments.report.markdown import NOTHING, Part, bullets, document, machine, number, p_value, plus_minus
from experiments.report.missing import ranges
from experiments.report.runs import Run
from experiments.store import files

Table = tuple[list[str], list[list[str]]]
Full = Mapping[str, Mapping[str, Any]]  # by pool, of `full.score`


def write_page(runs: Mapping[str, Run], full: Full, folder: pathlib.Path) -> pathlib.Path:
    """Writes the page and its pictures.

    Args:
      runs: by the name of their pool; at least one.
      full: what all labels give, where it is known.
      folder: of the benchmark; the runs lie in it.

    Returns:
      path of the page.
    """
    names = list(dict.fromkeys(name for run in runs.values() for name in run.lanes))
    everywhere = [name for name in names if all(_was_run(run, name) for run in runs.values())]
    figures.curves(runs, full, everywhere if len(everywhere) > 1 else names, folder / CURVES)
    path = folder / PAGE
    rankings = [*_ranking(runs, everywhere, folder), *_rankings_of_more(runs, names, everywhere)]
    files.write_text(path, document([*_head(runs), *rankings, *_pools(runs, full, names)]))
    return path


def _head(runs: Mapping[str, Run]) -> list[Part]:
    rows = []
    for name, run in runs.items():
        data, config = run.environment.get("data") or {}, run.config
        labels = f"{config.get('initial')} + {config.get('cycles')} x {config.get('budget')}"
        left = sum(data["left"]) if data.get("left") else NOTHING
        cells = [f"{left:,}" if isinstance(left, int) else left, str(config.get("num_classes", NOTHING)), labels]
        rows.append([f"[{name}]({name}/{REPORT})", *cells, ranges(run.seeds), _role(name)])
    environments = [run.environment for run in runs.values()]
    return [
        "# Benchmark",
        "Every pool is given as features with all labels known; a strategy asks for labels, a last layer is fitted to "
        "them exactly, map and ridge chosen by the labels alone (`configs/own.py`). Macro F1 is on test rows, its mean "
        "over the cycles after the first query, then over the seeds, ± one standard error.",
        (["pool", "rows", "classes", "labels", "seeds", "role"], rows),
        "*Tuned*: defaults of this project were chosen on it. *Held out*: none was.",
        machine(environments[0]),
        "The pools were run on different dates or revisions: each report has its own."
        * (len({(e.get("git_revision"), str(e.get("date"))[:10]) for e in environments}) > 1),
        f"![Macro F1 over the labels known, a panel a pool]({CURVES})",
        "*Mean over the seeds, band of one standard error; dashed: a last layer fitted to all labels.*",
    ]


def _role(name: str) -> str:
    if name in [pool.name for pool in TUNED]:
        return "tuned"
    return "held out" if name in [pool.name for pool in HELD_OUT] else NOTHING


def _ranking(runs: Mapping[str, Run], names: list[str], folder: pathlib.Path) -> list[Part]:
    """Over all pools; of the strategies that were run on each of them."""
    if len(names) < 2:
        return []
    table, values, ranks = _table_of_ranks(runs, names)
    parts: list[Part] = ["## Ranking", table]
    if len(runs) > 1 and len(names) > 2:
        figures.rank_diagram(ranks, names, len(runs), folder / RANKS)
        parts += [
            f"Friedman's test that all are alike over the pools: p {p_value(ranking.friedman(values))}.",
            f"![Mean ranks with the critical distance]({RANKS})",
            "*Nemenyi's test at .05: strategies that a bar joins are not told apart by so many pools.*",
        ]
    if all(len(own.seeds) < 2 for run in runs.values() for own in run.lanes.values()):
        return parts
    order = [names[i] for i in np.argsort(ranks)]
    won = ranking.wins(list(runs.values()), order)
    matrix = [[one, *(NOTHING if i == j else str(won[i, j]) for j in range(len(order)))] for i, one in enumerate(order)]
    parts += [
        f"## Wins\n\nOn how many of {len(runs)} pools the row is higher in macro F1 than the column: paired t-test "
        "over the seeds, all pairs of a pool corrected by Holm, p < .05.",
        (["", *order], matrix),
    ]
    return parts


def _table_of_ranks(runs: Mapping[str, Run], names: list[str]) -> tuple[Table, np.ndarray, np.ndarray]:
    """Header and rows, the best first; scores [pools, strategies] and mean ranks [strategies]."""
    values = scores.means(list(runs.values()), names)
    ranks = ranking.ranks(values).mean(axis=0)
    roles = np.array([_role(name) for name in runs])
    groups = [("held out", roles == "held out"), ("tuned", roles == "tuned"), ("all", np.ones(len(runs), bool))]
    groups = [(label, inside) for label, inside in groups if inside.any()]
    baseline = names.index("random") if "random" in names else None
    rows = []
    for i in np.argsort(ranks):
        cells = [number(values[inside, i].mean(), 3) for _, inside in groups]
        ahead = NOTHING if baseline is None else f"{(values[:, i] > values[:, baseline]).sum()} of {len(runs)}"
        rows.append([names[i], number(ranks[i], 2), *cells, ahead, number(values[:, i].min(), 3)])
    header = ["strategy", "mean rank", *(f"macro F1, {label}" for label, _ in groups), "ahead of random", "worst pool"]
    return (header, rows), values, ranks


def _rankings_of_more(runs: Mapping[str, Run], names: list[str], everywhere: list[str]) -> list[Part]:
    """Of the strategies that were run on some pools, over these, beside all others that were run there."""
    more = (
        tuple(pool for pool, run in runs.items() if _was_run(run, name)) for name in names if name not in everywhere
    )
    parts: list[Part] = []
    for pools in sorted({*more}, key=len, reverse=True):
        own = [name for name in names if all(_was_run(runs[pool], name) for pool in pools)]
        if len(pools) > 1 and len(own) > 1:
            heading = f"## Ranking of {len(own)} strategies over {len(pools)} pools\n\nThose of {', '.join(pools)}."
            parts += [heading, _table_of_ranks({pool: runs[pool] for pool in pools}, own)[0]]
    return parts


def _was_run(run: Run, name: str) -> bool:
    return name in run.lanes and bool(run.lanes[name].whole.any())


def _pools(runs: Mapping[str, Run], full: Full, names: Sequence[str]) -> list[Part]:
    parts: list[Part] = ["## Pools"]
    for pool, run in runs.items():
        parts += [f"### {pool}", _full(full.get(pool) or {}), _table(run, full.get(pool) or {}, names)]
    return parts


def _full(full: Mapping[str, Any]) -> str:
    if not full:
        return ""
    unsure = [] if full["converged"] else ["the fit did not converge"]
    numbers = f"macro F1 {full['macro_f1']:.3f}, balanced accuracy {full['balanced_accuracy']:.3f}"
    return bullets([f"All {full['rows']:,} labels: {numbers} (map {full['map']}, ridge {full['ridge']:g})", *unsure])


def _table(run: Run, full: Mapping[str, Any], names: Sequence[str]) -> Part:
    known = [name for name in names if name in run.lanes]
    tests = {name: summary.compare(run, name, "random", "macro_f1") for name in known if name != "random"}
    corrected = dict(zip(tests, ranking.holm([test.t_p for test in tests.values()]), strict=True))
    rows = []
    for name in known:
        mean, final = summary.mean_over_seeds(run, name, "macro_f1"), scores.last(run, name, "macro_f1")
        needed, accuracy = scores.labels_to_share(run, name, full), scores.balanced_accuracy(run, name)
        reached = NOTHING
        if needed is not None:
            reached = plus_minus(needed.mean, needed.se, 0)
            if needed.reached < needed.num:
                reached = f"{needed.reached} of {needed.num} seeds"
        cells = [plus_minus(value.mean, value.se, 3) for value in (mean, final, accuracy)]
        against = [NOTHING, NOTHING]
        if name in tests:
            against = [number(tests[name].mean, 3, "+"), p_value(corrected[name])]
        times = [number(scores.seconds(run, name, stage), 2) for stage in ("train", "query")]
        rows.append([name, *cells, reached, *against, *times])
    header = ["strategy", "macro F1", "last", "balanced accuracy, last", "labels to 90 %", "minus random", "p (Holm)"]
    return [*header, "s a fit", "s a query"], rows
