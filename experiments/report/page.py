"""Report of a run: tables and figures made from the files in its workdir, beside the published numbers.

    python -m experiments.report runs/letter

reads `metrics.jsonl` and, where there, `config.json`, `environment.json` and `timings.jsonl`; it writes
`report.md`, `curves.png` and `classes.png` next to them, `history.png` where balanced strategies stand beside
their plain forms, `rare.png` where classes are cut by name, `progress.png` of minority-class sampling, `lambda.png`
and `minibatches.png` where a run has swept these, and prints the results. A single-stage run, whose config has
`selections`, gets `report.md` and `progress.png` of its own. A run that is not finished gets a report too, which
says what it lacks.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments import stopping
from experiments.published import alfamous
from experiments.report import REPORT, active, single_stage
from experiments.report.markdown import RESULTS, document, result_cells, results, short
from experiments.report.names import visible
from experiments.report.runs import Run, load
from experiments.store import files


def write_report(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes the report of a run, finished or not, into its workdir.

    Args:
      workdir: folder with `metrics.jsonl`.

    Returns:
      path of `report.md`. ValueError, in one line and before anything is written, for records that are
      missing or malformed.
    """
    return _write(load(workdir))


def summary_table(run: Run) -> Table:
    """The results of a run for a terminal of 80 columns: mean and standard error, difference from the paper.

    Args:
      run: without the differences unless `alfamous.counterpart` knows numbers published for its config.

    Returns:
      a table with one row per strategy.
    """
    rich_table = Table(title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    dataset = alfamous.counterpart(run.config)
    beside_paper = bool(alfamous.load_results(dataset))
    title = f"{visible(run.config.get('dataset', ''))}: mean ± s.e. over seeds{', Δ = run - paper' * beside_paper}"
    rich_table.title = Text(title, style="table.title")
    rich_table.add_column("strategy", no_wrap=True)
    rich_table.add_column("seeds", justify="right")
    for _, label, _ in RESULTS:
        rich_table.add_column(label, justify="right", no_wrap=True)
        if beside_paper:
            rich_table.add_column("Δ", justify="right", no_wrap=True, style="dim")
    for name, seeds, row in results(run, dataset):
        cells = [short(text) for text in result_cells(row, beside_paper)]
        rich_table.add_row(name, str(seeds), *(text for i, text in enumerate(cells) if not beside_paper or i % 3 != 1))
    return rich_table


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where there is no run to report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description="Report of a run.")
    parser.add_argument("workdir", help="folder of the run")
    options = parser.parse_args(args)
    with stopping.in_order():
        try:
            run = load(options.workdir)
            path = _write(run)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if not _in_one_stage(run):
            Console().print(summary_table(run))
        print(path)
    return 0


def _write(run: Run) -> pathlib.Path:
    sections = single_stage.write_sections(run) if _in_one_stage(run) else active.write_sections(run)
    path = run.folder / REPORT
    files.write_text(path, document(sections))
    return path


def _in_one_stage(run: Run) -> bool:
    return "selections" in run.config
