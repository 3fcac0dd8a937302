"""The report of an active-learning run: results beside the paper, labels needed, comparisons, batches, time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.published import alfamous
from experiments.report import (
    CLASSES,
    CURVES,
    by_class,
    class_progress,
    found,
    gains,
    heads,
    rare,
    summary,
    surroundings,
    sweeps,
)
from experiments.report.class_counts import class_counts
from experiments.report.curves import learning_curves
from experiments.report.markdown import (
    BATCHES,
    NOTHING,
    RESULTS,
    Part,
    bullets,
    machine,
    number,
    p_value,
    plus_minus,
    result_cells,
    results,
)
from experiments.report.missing import missing, ranges
from experiments.report.names import plain
from experiments.report.runs import Run, family

PAIRS = (("-alfamous", ""), ("-alfamous", "-cb"), ("-alfamous", "-fbu"), ("-cb", ""))


def write_sections(run: Run) -> list[Part]:
    """The paragraphs and tables of the report, and their figures beside them."""
    dataset, last = alfamous.counterpart(run.config), run.last_cycle
    beside_paper = bool(alfamous.load_results(dataset))
    data = found.lines(run.environment.get("data") or {}, str(run.config.get("dataset", "")), plain)
    learning_curves(run)
    has_classes = class_counts(run)
    return [
        f"# Active learning on {plain(run.config.get('dataset') or 'an unnamed data set')}",
        "## Data" * bool(data),
        bullets(data),
        "## Run" * bool(data),
        *_what_was_run(run),
        f"## Results\n\nMeans over the cycles 1 to {last}, then over the seeds, ± one standard error over the seeds; "
        "cycle 0 comes before the first query and is the same for all strategies (last column: F1 with it).",
        "Paper: Huang et al., AL-FaMoUS, 2023, Tables 1 and 4; diff. is run minus paper; CBI is min-max, as theirs."
        * beside_paper,
        "CBI is the class balance index, min-max." * (not beside_paper),
        _other_settings(run),
        _results_table(run, dataset),
        f"![Accuracy, macro F1 and CBI over the labels known]({CURVES})",
        "*Mean over the seeds; the band is one standard error.*",
        f"![Labels of each class at the end]({CLASSES})" * has_classes,
        f"*Labels of each class at cycle {last}, mean over the seeds that got there.*" * has_classes,
        *([] if beside_paper else by_class.write_sections(run)),
        *heads.write_sections(run),
        "## Labels needed\n\nLabels at the first cycle that reaches a macro F1, where every seed does.",
        _labels_needed(run),
        "## Paired comparisons\n\nFirst minus second, seed by seed; two-sided p, not corrected for their number.",
        _comparisons(run, dataset),
        "## Batches\n\nDiversity inside a batch, in the input space (images: in the penultimate features); L1 score of "
        "all labels, 0 if balanced.",
        _batches(run),
        *gains.write_sections(run),
        *rare.write_sections(run),
        *class_progress.write_sections(run),
        *sweeps.write_sections(run),
        *_times(run.timings),
        "## Missing\n\n" + _missing(run),
    ]


def _missing(run: Run) -> str:
    names = run.config.get("strategies") or list(alfamous.load_results(alfamous.counterpart(run.config)))
    lines = ["no config.json"] * (not run.config) + surroundings.missing(run.folder, run.environment)
    return bullets(lines + missing(run, names)) or "Nothing."


def _what_was_run(run: Run) -> list[Part]:
    dataset = alfamous.counterpart(run.config)
    published = alfamous.PAPER_SETTINGS.get(dataset, (NOTHING,) * len(alfamous.SETTINGS))
    settings = zip(alfamous.SETTINGS, published, strict=True)
    rows = [(key, plain(run.config.get(key, NOTHING)), str(value)) for key, value in settings]
    header = ("setting", "run", "paper")[: 3 if dataset in alfamous.PAPER_SETTINGS else 2]
    what = (
        f"Strategies {', '.join(run.lanes)}; seeds {ranges(run.seeds)}; cycles 0 to {run.last_cycle}. "
        "All settings are in `config.json`."
    )
    return [what, (header, [row[: len(header)] for row in rows]), machine(run.environment)]


def _other_settings(run: Run) -> str:
    other = alfamous.other_settings(run.config, run.last_cycle)
    return f"**Other settings than the paper's**, so diff. says little: {', '.join(other)}." if other else ""


def _results_table(run: Run, dataset: str) -> Part:
    beside_paper = bool(alfamous.load_results(dataset))
    columns = [text for _, label, _ in RESULTS for text in (label, "paper", "diff.")[: 3 if beside_paper else 1]]
    rows = []
    for name, seeds, row in results(run, dataset):
        with_start = summary.mean_over_seeds(run, name, "macro_f1", first_cycle=0).mean
        rows.append([name, str(seeds), *result_cells(row, beside_paper), number(with_start, 3)])
    return ["strategy", "seeds", *columns, "F1 from 0"], rows


def _labels_needed(run: Run) -> Part:
    levels, rows = summary.levels_in_range(run), []
    if not levels:
        return f"None of the levels {', '.join(map(str, summary.LEVELS))} is passed during the run."
    for name in run.lanes:
        needed = [summary.labels_to_level(run, name, level) for level in levels]
        partly = [f"{n.reached} of {n.num} seeds" if n.reached < n.num else "" for n in needed]
        rows.append([name, *(text or plus_minus(n.mean, n.se, 0) for text, n in zip(partly, needed, strict=True))])
    return ["strategy", *(f"F1 ≥ {level}" for level in levels)], rows


def _comparisons(run: Run, dataset: str) -> Part:
    families = dict.fromkeys(family(one)[0] for one in run.strategies)
    pairs = [(one + first, one + second) for one in families for first, second in PAIRS]
    beside_paper = bool(alfamous.load_results(dataset))
    if not beside_paper:
        pairs = [*((str(one), "random") for one in run.strategies if str(one) != "random"), *pairs]
    rows = []
    for metric, label, digits in RESULTS[1:]:
        for first, second in [pair for pair in pairs if set(pair) <= run.lanes.keys()]:
            mean, se, num, wins, *p_values = summary.compare(run, first, second, metric)
            cells = [f"{first} vs {second}", label, plus_minus(mean, se, digits, "+"), f"{wins} of {num}"]
            published = alfamous.difference(dataset, first, second, metric)
            rows.append([*cells, *map(p_value, p_values), number(published, digits, "+")])
    header = ["comparison", "metric", "difference", "seeds won", "p (t-test)", "p (Wilcoxon)", "paper"]
    if not beside_paper:
        header, rows = header[:-1], [row[:-1] for row in rows]
    return (header, rows) if rows else "No two strategies to compare."


def _batches(run: Run) -> Part:
    """Beside the diversity the weight of the balance, where it follows the labels."""
    rows, follows = [], bool(run.config.get("shrink_lam"))
    for name, own in run.lanes.items():
        found = [(summary.mean_over_seeds(run, name, metric), digits) for metric, _, digits in BATCHES]
        lams = own.metrics["lam"][own.whole].mean(axis=0) if own.whole.any() else np.zeros(0)
        weight = [f"{lams[0]:.3f} to {lams[-1]:.3f}" if np.nansum(lams) > 0 else NOTHING] * follows
        rows.append([name, *(plus_minus(value.mean, value.se, digits) for value, digits in found), *weight])
    return ["strategy", *(label for _, label, _ in BATCHES), *["lam, first to last cycle"] * follows], rows


def _times(timings: Sequence[Mapping[str, Any]]) -> list[Part]:
    if not timings:
        return []
    stages = list(dict.fromkeys(key for row in timings for key in row if key.endswith("_s")))
    totals: dict[str, list[float]] = {}
    for row in timings:
        seconds = [float(row.get(stage) or 0.0) for stage in stages]
        for name in (str(row.get("strategy", NOTHING)), "all"):
            totals[name] = [a + b for a, b in zip(totals.get(name, [0.0] * len(stages)), seconds, strict=True)]
    totals["all"] = totals.pop("all")
    header = ["strategy", *(stage.removesuffix("_s") for stage in stages)]
    rows = [[name, *(f"{s:.1f}" for s in seconds)] for name, seconds in totals.items()]
    return ["## Time\n\nSeconds by stage, summed over `timings.jsonl`: what ran side by side adds up.", (header, rows)]
