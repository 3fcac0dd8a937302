"""Report of a single-stage run: accuracies over the budgets with G_AL, classes found and imbalance ratios.

    python -m experiments.single_stage_report runs/single-stage

The layout is that of WACV 2020, supplement, Tables 6 to 12.
"""

import argparse
import math
import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from alfamous_jax import metrics
from experiments.published import single_stage
from experiments.report import class_progress, summary
from experiments.report.markdown import bullets, number, plus_minus, table
from experiments.store import files

MACHINE = ("date", "git_revision", "python", "jax", "jaxlib", "backend", "devices", "cpu", "cores")
WHAT = (
    ("found", "Classes found", "Classes that have a label (Tables 10 and 11).", 2),
    ("imbalance_ratio", "Imbalance ratio", "Deviation over mean of the class counts.", 3),
)


def write_report(workdir) -> pathlib.Path:
    """Writes `report.md` and `progress.png` of a run, finished or not, into its workdir.

    Args:
      workdir: folder with `metrics.jsonl`.

    Returns:
      path of `report.md`. ValueError, in one line and before anything is written, for records missing or malformed.
    """
    workdir = pathlib.Path(workdir)
    records = class_progress.with_counts(summary.load_records(workdir))
    config, environment = files.read_json(workdir / "config.json"), files.read_json(workdir / "environment.json")
    schemes = list(dict.fromkeys(record["strategy"].partition(":")[2] for record in records))
    best = max(schemes, key=lambda scheme: _full(records, scheme) if f"full:{scheme}" in _names(records) else 0.0)
    drawn = [r for r in records if r["strategy"].endswith(f":{best}") and not r["strategy"].startswith("full")]
    if drawn:
        class_progress.draw(
            [r | {"strategy": r["strategy"].partition(":")[0]} for r in drawn], workdir / "progress.png"
        )
    facts = [
        f"{key}: {', '.join(map(str, v)) if isinstance(v, list) else v}"
        for key in MACHINE
        if (v := environment.get(key)) is not None
    ]
    facts += ["the code had changes that were not committed"] * bool(environment.get("git_dirty"))
    seeds = summary.ranges({record["seed"] for record in records})
    parts = [
        f"# Single-stage selection on {config.get('dataset') or 'an unnamed data set'}",
        f"Seeds {seeds}; mean ± one standard error. All settings are in `config.json`.",
        bullets(facts),
    ]
    for scheme in schemes:
        parts += [
            f"## Accuracy, {scheme}\n\nIn %; a class that was not found counts 0 (ACC_t). G_AL is the mean of "
            "(accuracy - full) / (100 - full) over the budgets, full being all labels of the pool in the same scheme; "
            "the paper's is over its four data sets, with a source of ImageNet (Tables 6 to 9).",
            table(*accuracy_table(records, scheme, config)),
        ]
    parts += [part for what in WHAT for part in (f"## {what[1]}\n\n{what[2]}", table(*counts_table(records, *what)))]
    if drawn:
        parts += ["![Accuracy, imbalance ratio and classes found](progress.png)", f"*Accuracy of {best}.*"]
    path = workdir / "report.md"
    files.write_text(path, "\n\n".join(parts) + "\n")
    return path


def accuracy_table(records: Sequence[dict], scheme: str, config: dict) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each selection's ACC_t in % at every budget and its G_AL; the pool's labels in the last row."""
    names = [name for name in _names(records) if name.endswith(f":{scheme}")]
    full, budgets, rows = _full(records, scheme), _budgets(records), []
    for name in names:
        if name.startswith("full:"):
            rows.append(["full", *[number(full, 2)] * len(budgets), "0", "0"])
            continue
        values = _values(records, name, lambda r: 100 * _found_accuracy(r))
        cells = [summary.estimate(values[:, i]) for i in range(len(budgets))]
        gains = [float(metrics.g_al(row, np.full(len(row), full))) for row in values if not np.isnan(row).any()]
        overall = summary.estimate(gains)
        rows.append(
            [
                name.partition(":")[0],
                *(plus_minus(c.mean, c.se, 2) for c in cells),
                plus_minus(overall.mean, overall.se, 3),
                number(_published(name.partition(":")[0], config), 3),
            ]
        )
    rows.sort(key=lambda row: row[0] == "full")
    return ["selection", *(f"{budget} labels" for budget in budgets), "G_AL", "paper"], rows


def counts_table(records: Sequence[dict], field: str, *texts) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a property of the selected labels at every budget and its mean over the budgets."""
    scheme = records[0]["strategy"].partition(":")[2]
    budgets, rows = _budgets(records), []
    for name in _names(records):
        if name.endswith(f":{scheme}") and not name.startswith("full:"):
            values = _values(records, name, lambda r: r[field])
            cells = [summary.estimate(values[:, i]) for i in range(len(budgets))]
            means = [cell.mean for cell in cells if not math.isnan(cell.mean)]
            texts_of = (plus_minus(c.mean, c.se, texts[-1]) for c in cells)
            rows.append([name.partition(":")[0], *texts_of, number(float(np.mean(means)), texts[-1])])
    return ["selection", *(f"{budget} labels" for budget in budgets), "mean"], rows


def _published(name, config):
    """G_AL as printed, NaN for a selection that the paper lacks."""
    table = (6 if config.get("profile") == "transfer" else 8) + ("-bal" in name)
    row = single_stage.load_accuracy(table).get(name.replace("-bal", ""))
    return row.overall if row else math.nan


def _names(records):
    return list(dict.fromkeys(record["strategy"] for record in records))


def _budgets(records):
    own = {r["cycle"]: r["num_labelled"] for r in records if not r["strategy"].startswith("full:")}
    return [own[place] for place in sorted(own)]


def _values(records, name, value):
    """[seeds, budgets], NaN where not recorded."""
    own = [record for record in records if record["strategy"] == name]
    seeds = sorted({record["seed"] for record in own})
    values = np.full((len(seeds), len(_budgets(records))), np.nan)
    for record in own:
        values[seeds.index(record["seed"]), record["cycle"]] = value(record)
    return values


def _found_accuracy(record):
    recall = np.array([0.0 if x is None else x for x in record["recall"]])
    return float(metrics.found_accuracy(recall, np.array(record["counts"])))


def _full(records, scheme):
    """Accuracy in % with all labels of the pool, mean over the seeds; NaN where it was not run."""
    own = [100 * _found_accuracy(r) for r in records if r["strategy"] == f"full:{scheme}"]
    return float(np.mean(own)) if own else math.nan


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where there is no run to report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.single_stage_report", description="Report of a run.")
    parser.add_argument("workdir", help="folder of the run")
    try:
        print(write_report(parser.parse_args(args).workdir))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
