"""Report of a run: tables and figures made from the files in its workdir, beside the published numbers.

    python -m experiments.report runs/letter

reads `metrics.jsonl` and, where there, `config.json`, `environment.json` and `timings.jsonl`; it writes
`report.md`, `curves.png` and `classes.png` next to them, `history.png` where balanced strategies stand beside
their plain forms, `lambda.png` and `minibatches.png` where a run has swept these, and prints the results. A run
that is not finished gets a report too, which says what it lacks.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from experiments.published import alfamous
from experiments.report import class_progress, figures, gains, rare, summary, sweeps
from experiments.report.markdown import (
    BATCHES,
    NOTHING,
    RESULTS,
    bullets,
    number,
    p_value,
    plus_minus,
    results,
    short,
    table,
)
from experiments.store import files

PAIRS = (("-alfamous", ""), ("-alfamous", "-cb"), ("-alfamous", "-fbu"), ("-cb", ""))
MACHINE = ("date", "git_revision", "python", "jax", "jaxlib", "backend", "devices", "cpu", "cores")


def write_report(workdir) -> pathlib.Path:
    """Writes the report of a run, finished or not, into its workdir.

    Args:
      workdir: folder with `metrics.jsonl`.

    Returns:
      path of `report.md`. ValueError, in one line and before anything is written, for records that are
      missing or malformed.
    """
    workdir = pathlib.Path(workdir)
    records = summary.load_records(workdir)
    config, environment = files.read_json(workdir / "config.json"), files.read_json(workdir / "environment.json")
    timings = files.read_json_lines(workdir / "timings.jsonl")
    figures.learning_curves(records, workdir / "curves.png")
    names = (environment.get("data") or {}).get("classes")
    has_classes = figures.class_counts(records, workdir / "classes.png", names)
    swept = [
        part for module in (gains, rare, class_progress) for part in module.write_sections(records, config, workdir)
    ]
    swept += sweeps.write_sections(records, timings, workdir)
    path = workdir / "report.md"
    files.write_text(path, _text(records, config, environment, timings, has_classes, swept))
    return path


def summary_table(records: Sequence[dict], config: dict) -> Table:
    """The results of a run for a terminal of 80 columns: mean and standard error, difference from the paper.

    Args:
      records: of the run, as from `summary.load_records`.
      config: of the run; unless `alfamous.counterpart` knows published numbers, the differences stay blank.

    Returns:
      a table with one row per strategy.
    """
    rich_table = Table(title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    dataset = alfamous.counterpart(config)
    rich_table.title = f"{config.get('dataset', '')}: mean ± s.e. over seeds, Δ = run - paper"
    rich_table.add_column("strategy", no_wrap=True)
    rich_table.add_column("seeds", justify="right")
    for _, label, _ in RESULTS:
        rich_table.add_column(label, justify="right", no_wrap=True)
        rich_table.add_column("Δ", justify="right", no_wrap=True, style="dim")
    for name, seeds, row in results(records, dataset):
        cells = [short(text) for text in _cells(row)]
        rich_table.add_row(name, str(seeds), *(text for i, text in enumerate(cells) if i % 3 != 1))
    return rich_table


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where there is no run to report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description="Report of a run.")
    parser.add_argument("workdir", help="folder of the run")
    workdir = parser.parse_args(args).workdir
    try:
        path = write_report(workdir)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    Console().print(summary_table(summary.load_records(workdir), files.read_json(path.with_name("config.json"))))
    print(path)
    return 0


def _text(records, config, environment, timings, has_classes, swept) -> str:
    dataset, last = alfamous.counterpart(config), summary.last_cycle(records)
    paragraphs = [
        f"# Active learning on {config.get('dataset') or 'an unnamed data set'}",
        *_what_was_run(records, config, environment),
        f"## Results\n\nMeans over the cycles 1 to {last}, then over the seeds, ± one standard error over the seeds; "
        "cycle 0 comes before the first query and is the same for all strategies (last column: F1 with it).",
        "Paper: Huang et al., AL-FaMoUS, 2023, Tables 1 and 4; diff. is run minus paper; CBI is min-max, as theirs.",
        _other_settings(config, last),
        _results_table(records, dataset),
        "![Accuracy, macro F1 and CBI over the labels known](curves.png)",
        "*Mean over the seeds; the band is one standard error.*",
        "![Labels of each class at the end](classes.png)" * has_classes,
        f"*Labels of each class at cycle {last}, mean over the seeds that got there.*" * has_classes,
        "## Labels needed\n\nLabels at the first cycle that reaches a macro F1, where every seed does.",
        _labels_needed(records),
        "## Paired comparisons\n\nFirst minus second, seed by seed; two-sided p, not corrected for their number.",
        _comparisons(records, dataset),
        "## Batches\n\nDiversity inside a batch, in the input space (images: in the penultimate features); L1 score of "
        "all labels, 0 if balanced.",
        _batches(records),
        *(part if isinstance(part, str) else table(*part) for part in swept),
        _times(timings) if timings else "",
        "## Missing\n\n" + _missing(records, config, environment),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _missing(records, config, environment) -> str:
    names = config.get("strategies") or list(alfamous.load_results(alfamous.counterpart(config)))
    lines = ["no config.json"] * (not config) + ["no environment.json"] * (not environment)
    return bullets(lines + summary.missing_of(records, config, names)) or "Nothing."


def _what_was_run(records, config, environment) -> list[str]:
    seeds, last = summary.ranges({record["seed"] for record in records}), summary.last_cycle(records)
    names = ", ".join(summary.strategies(records))
    dataset = alfamous.counterpart(config)
    published = alfamous.PAPER_SETTINGS.get(dataset, (NOTHING,) * len(alfamous.SETTINGS))
    settings = zip(alfamous.SETTINGS, published, strict=True)
    rows = [(key, str(config.get(key, NOTHING)), str(value)) for key, value in settings]
    machine = [(key, environment[key]) for key in MACHINE if environment.get(key) is not None]
    facts = [f"{key}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in machine]
    facts += ["the code had changes that were not committed"] * bool(environment.get("git_dirty"))
    what = f"Strategies {names}; seeds {seeds}; cycles 0 to {last}. All settings are in `config.json`."
    return [what, table(("setting", "run", "paper"), rows), bullets(facts)]


def _other_settings(config, last: int) -> str:
    other = alfamous.other_settings(config, last)
    return f"**Other settings than the paper's**, so diff. says little: {', '.join(other)}." if other else ""


def _cells(row) -> Iterator[str]:
    for mean, se, published, digits in row:
        yield from (plus_minus(mean, se, digits), number(published, digits), number(mean - published, digits, "+"))


def _results_table(records, dataset: str) -> str:
    columns = [text for _, label, _ in RESULTS for text in (label, "paper", "diff.")]
    header = ["strategy", "seeds", *columns, "F1 from 0"]
    rows = []
    for name, seeds, row in results(records, dataset):
        with_start = summary.mean_over_seeds(records, name, "macro_f1", first_cycle=0).mean
        rows.append([name, str(seeds), *_cells(row), number(with_start, 3)])
    return table(header, rows)


def _labels_needed(records) -> str:
    levels, rows = summary.levels_in_range(records), []
    if not levels:
        return f"None of the levels {', '.join(map(str, summary.LEVELS))} is passed during the run."
    for name in summary.strategies(records):
        needed = [summary.labels_to_level(records, name, level) for level in levels]
        partly = [f"{n.reached} of {n.num} seeds" if n.reached < n.num else "" for n in needed]
        rows.append([name, *(text or plus_minus(n.mean, n.se, 0) for text, n in zip(partly, needed, strict=True))])
    return table(["strategy", *(f"F1 ≥ {level}" for level in levels)], rows)


def _comparisons(records, dataset: str) -> str:
    names = summary.strategies(records)
    families = dict.fromkeys(summary.split_name(name)[0] for name in names)
    pairs = [(family + first, family + second) for family in families for first, second in PAIRS]
    rows = []
    for metric, label, digits in RESULTS[1:]:
        for first, second in [pair for pair in pairs if set(pair) <= set(names)]:
            mean, se, num, wins, *p_values = summary.compare(records, first, second, metric)
            cells = [f"{first} vs {second}", label, plus_minus(mean, se, digits, "+"), f"{wins} of {num}"]
            published = alfamous.difference(dataset, first, second, metric)
            rows.append([*cells, *map(p_value, p_values), number(published, digits, "+")])
    header = ["comparison", "metric", "difference", "seeds won", "p (t-test)", "p (Wilcoxon)", "paper"]
    return table(header, rows) if rows else "No two strategies to compare."


def _batches(records) -> str:
    rows = []
    for name in summary.strategies(records):
        found = [(summary.mean_over_seeds(records, name, metric), digits) for metric, _, digits in BATCHES]
        rows.append([name, *(plus_minus(value.mean, value.se, digits) for value, digits in found)])
    return table(["strategy", *(label for _, label, _ in BATCHES)], rows)


def _times(timings: Sequence[dict]) -> str:
    stages = list(dict.fromkeys(key for row in timings for key in row if key.endswith("_s")))
    totals: dict[str, list[float]] = {}
    for row in timings:
        seconds = [float(row.get(stage) or 0.0) for stage in stages]
        for name in (str(row.get("strategy", NOTHING)), "all"):
            totals[name] = [a + b for a, b in zip(totals.get(name, [0.0] * len(stages)), seconds, strict=True)]
    totals["all"] = totals.pop("all")
    header = ["strategy", *(stage.removesuffix("_s") for stage in stages)]
    rows = [[name, *(f"{s:.1f}" for s in seconds)] for name, seconds in totals.items()]
    intro = "## Time\n\nSeconds by stage, summed over `timings.jsonl`: what ran side by side adds up.\n\n"
    return intro + table(header, rows)


if __name__ == "__main__":
    sys.exit(main())
