"""The tables and figures of AL-FaMoUS (Huang et al., 2023) over all data sets that were run, on one page.

    python -m experiments.paper results

reads every run in a folder (or the runs named one by one: results/letter results/ecg5000 --out results) and
writes `paper.md` and the figures it shows into that folder: every number beside the published one, and every
claim of the paper with the test of whether it holds here. The other four papers have a page of their claims,
`paper-cbal.md` and the like, over all runs in the folder and in those within it:

    python -m experiments.paper results --paper cbal
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence

from rich.console import Console

from experiments import stopping
from experiments.paper import claims, figures, others, tables
from experiments.paper.runs import caveats, dataset_of, find_runs, title_of
from experiments.published import alfamous
from experiments.report import CLASSES, CURVES, LAMBDA, REPORT
from experiments.report.markdown import LABELS, NOTHING, bullets, document, table
from experiments.report.missing import ranges
from experiments.report.runs import Run
from experiments.store import files

OWN = "alfamous"
SOURCE = "Z. Huang et al., *Active Learning with Fast Model Updates and Class-Balanced Selection*, IAL@ECML-PKDD 2023"
# The paper's figures: learning curves and class distributions. It draws no class distribution of MNIST but in Fig. 3c,
# and the caption of Fig. 19 says CROP, which is Fig. 15.
FIGURES = {
    "letter": ("5a, 7", "8"),
    "mnist": ("5b, 9", "3c"),
    "fmnist": ("5c, 10", "11"),
    "cifar10": ("5d, 12", "13"),
    "crop": ("14", "15"),
    "electric_devices": ("16", "17"),
    "ecg5000": ("6, 18", "19"),
}


def write_page(folders: Sequence[str | pathlib.Path], out: str | pathlib.Path) -> pathlib.Path:
    """Writes the page and its figures.

    Args:
      folders: of runs, or of folders of runs, as `find_runs` takes them.
      out: folder to write into, made if it is not there.

    Returns:
      path of `paper.md`. ValueError, in one line and before anything is written, where there is no run or
      something in one is malformed.
    """
    runs, out = find_runs(folders), pathlib.Path(out)
    text = _text(runs, out)
    out.mkdir(parents=True, exist_ok=True)
    for metric, name in figures.FILES:
        figures.metric_curves(runs, metric, out / name)
    path = out / "paper.md"
    files.write_text(path, text)
    return path


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr where there is nothing to write."""
    parser = argparse.ArgumentParser(prog="python -m experiments.paper", description="The paper over all data sets.")
    parser.add_argument("folders", nargs="+", help="folder of runs, or folders of one run each")
    parser.add_argument("--paper", default=OWN, choices=(OWN, *others.PAPERS), help="whose claims (alfamous)")
    parser.add_argument("--out", help="folder to write into (the folder given, if it is one)")
    options = parser.parse_args(args)
    with stopping.in_order():
        try:
            if options.out is None and len(options.folders) > 1:
                raise ValueError("--out must say where the page goes if several folders are given")
            out = options.out or options.folders[0]
            if options.paper == OWN:
                path = write_page(options.folders, out)
            else:
                path = others.write_page(options.paper, options.folders, out)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if options.paper == OWN:
            Console().print(tables.rich_overview(find_runs(options.folders)))
        print(path)
    return 0


def _text(runs: Sequence[Run], out: pathlib.Path) -> str:
    tests = claims.all_tests(runs)
    claim_rows, curves = claims.claim_rows(runs, tests), claims.curve_rows(runs)
    paragraphs = [
        "# AL-FaMoUS over all data sets",
        f"Paper: {SOURCE}.",
        "A value is a mean over the cycles after the first query, then over the seeds, ± one standard error over the "
        "seeds. Differences are paired seed by seed, p two-sided. CBI is min-max, as in the paper's tables.",
        *_what_was_run(runs, out),
        "## AL-FaMoUS against its baseline\n\nAL-FaMoUS minus the plain strategy; p not corrected for their number.",
        tables.overview(runs),
        "## Orderings\n\nEach over least confidence (us) and BALD on every data set. A difference that is 0 at the "
        "digits of the tables is a tie and counts as ≥, as in the paper. *For / against*: differences with p < .05, "
        f"paired t-test; Holm's correction is over the {len(tests)} differences of this section and the next. A "
        "difference that is neither is open. *Not here*: those below 0, F1 in points of .01, p uncorrected.",
        claims.ordering_sentence(tests),
        table(claims.ORDERING_HEADER, claims.ordering_rows(runs, tests)),
        "## Claims of the text\n\nAccuracy and F1 in points of .01. *Text* is what the sentence says, *tables* what "
        "Tables 1, 2 and 4 give for it. A claim is tested for its sign; **bold**: significant after Holm's correction.",
        table(claims.CLAIM_HEADER, claim_rows, left=4) if claim_rows else "None on what was run.",
        "Read off the mean curves, so without a test: the largest difference in the direction of the text, or, where "
        "there is none, the smallest in the other; or the labels of the second to those of the first." * bool(curves),
        table(claims.CURVE_HEADER, curves, left=4) if curves else "",
        "## Accuracy, macro F1 and class balance index\n\nTables 1 and 4; the best of each family in bold, here and "
        "in the paper.",
        *(f"### {title_of(run)}\n\n{tables.results_table(run)}" for run in runs),
        "## Diversity of the batches\n\nTable 2: mean distance within a batch, minus the baseline's. The paper does "
        "not say whether its relative diversity is a difference or in per cent; both are given. Distances are between "
        "raw rows, as in the paper; on images between features, here of the trained network's penultimate layer, there "
        "of a pretrained ResNet-50, so that its numbers are left out. So are its KL columns, which mix powers of ten.",
        tables.diversity_table(runs),
        "## Learning curves",
        *(f"![{LABELS[metric]} over the labels known]({name})" for metric, name in figures.FILES),
        "*Mean over the seeds; the band is one standard error.*",
        _figures(runs, out),
    ]
    return document(paragraphs)


def _what_was_run(runs: Sequence[Run], out: pathlib.Path) -> list[str]:
    rows = []
    for run in runs:
        machine = [run.environment.get(key) or NOTHING for key in ("backend", "date", "git_revision")]
        cells = [ranges(run.seeds), f"0-{run.last_cycle}", machine[0], str(machine[1])[:10], str(machine[2])[:7]]
        rows.append([title_of(run), _link(run, REPORT, out), *cells])
    header = ["data set", "run", "seeds", "cycles", "device", "date", "revision"]
    notes = [f"{title_of(run)}: {line}" for run in runs for line in caveats(run)]
    absent = [title for name, title in alfamous.TITLES.items() if name not in {dataset_of(run) for run in runs}]
    not_run = f"Not run: {', '.join(absent)}." if absent else ""
    dagger = "† Rows are missing: not comparable in numbers; its differences count below." * any(
        "†" in title_of(run) for run in runs
    )
    return ["## What was run", table(header, rows, left=2), not_run, bullets(notes), dagger]


def _figures(runs: Sequence[Run], out: pathlib.Path) -> str:
    rows = []
    for run in runs:
        links = [_link(run, name, out) for name in (CURVES, CLASSES, LAMBDA)]
        rows.append(
            [title_of(run), *(text for pair in zip(links[:2], FIGURES[dataset_of(run)], strict=True) for text in pair)]
        )
        rows[-1].append(links[2])
    header = ["data set", "learning curves", "paper's figure", "classes", "paper's figure", "L1 term over λ (Fig. 4)"]
    return table(header, rows, left=len(header))


def _link(run: Run, name: str, out: pathlib.Path) -> str:
    target = run.folder.resolve() / name
    relative = pathlib.Path(os.path.relpath(target, out.resolve())).as_posix()
    return f"[{target.stem}]({relative})" if target.is_file() else NOTHING


if __name__ == "__main__":
    sys.exit(main())
