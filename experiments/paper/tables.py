"""Tables of the page over all data sets: AL-FaMoUS against its baselines, Tables 1 and 4, Table 2."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table

from experiments.paper.runs import dataset_of, pairs, title_of
from experiments.published import alfamous
from experiments.report import summary
from experiments.report.markdown import DIGITS, NOTHING, RESULTS, number, p_value, plus_minus, results, short, table
from experiments.report.runs import Run, family

OVERVIEW = (("macro_f1", "macro F1"), ("cbi", "CBI"))


def overview(runs: Sequence[Run]) -> str:
    """AL-FaMoUS minus its baseline in F1 and CBI for every data set and family."""
    columns = ("paper", "seeds won", "p (t-test)", "p (Wilcoxon)")
    header = ["data set", "against", *(text for _, label in OVERVIEW for text in (label, *columns))]
    rows = [[title_of(run), base, *(text for cells in leads for text in cells)] for run, base, leads in _leads(runs)]
    return table(header, rows, left=2)


def rich_overview(runs: Sequence[Run]) -> Table:
    """`overview` for a terminal of 80 columns, without the second p."""
    look: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
    shown = Table(title_justify="left", **look)
    shown.title = "AL-FaMoUS minus its baseline: mean ± s.e. over seeds, p of paired t-tests"
    shown.add_column("data set", no_wrap=True)
    shown.add_column("vs", no_wrap=True)
    for label in ("F1", "CBI"):
        shown.add_column(label, justify="right", no_wrap=True)
        shown.add_column("paper", justify="right", no_wrap=True, style="dim")
        shown.add_column("won", justify="right", no_wrap=True)
        shown.add_column("p", justify="right", no_wrap=True)
    for run, base, leads in _leads(runs):
        cells = [short(text).replace("of", "/") for difference in leads for text in difference[:4]]
        shown.add_row(title_of(run), base, *cells)
    return shown


def results_table(run: Run) -> str:
    """The run's columns of Tables 1 and 4 beside the paper's, the best of each family in bold."""
    rows = list(results(run, dataset_of(run)))
    header = ["strategy", *(text for _, label, _ in RESULTS for text in (label, "paper"))]
    cells = []
    families = {name: family(own.strategy)[0] for name, own in run.lanes.items()}
    for name, _, row in rows:
        peers = [other for peer, _, other in rows if families[peer] == families[name]]
        cells.append([name])
        for i, (mean, se, published, digits) in enumerate(row):
            ours = _best(plus_minus(mean, se, digits), mean, [other[i].mean for other in peers], digits)
            paper = _best(number(published, digits), published, [other[i].published for other in peers], digits)
            cells[-1] += [ours, paper]
    return table(header, cells)


def diversity_table(runs: Sequence[Run]) -> str:
    """Table 2: diversity of a batch relative to the baseline, paired seed by seed; the paper's where it compares."""
    header = ["data set", "strategy", "Euclidean", "in %", "paper", "seeds won", "p (t-test)", "KL", "in %"]
    rows = []
    for run, base in pairs(runs):
        for name in (base + variant for variant in ("-cb", "-fbu", "-alfamous")):
            cells = []
            for metric in ("ed_diversity", "kl_diversity"):
                paired = summary.compare(run, name, base, metric)
                percent = 100 * paired.mean / summary.mean_over_seeds(run, base, metric).mean
                cells.append((paired, plus_minus(paired.mean, paired.se, DIGITS[metric], "+"), number(percent, 1, "+")))
            (euclidean, *texts), (_, *kl_texts) = cells
            if not euclidean.num:
                continue
            published = alfamous.difference(dataset_of(run), name, base, "ed_diversity")
            paper = NOTHING if dataset_of(run) in alfamous.IMAGES else number(published, 2, "+")
            won = f"{euclidean.wins} of {euclidean.num}"
            rows.append([title_of(run), name, *texts, paper, won, p_value(euclidean.t_p), *kl_texts])
    return table(header, rows, left=2) if rows else "No two strategies to compare."


def _leads(runs: Sequence[Run]) -> Iterator[tuple[Run, str, list[list[str]]]]:
    """For each metric of `OVERVIEW`: difference, the paper's, seeds won, both p."""
    for run, base in pairs(runs):
        leads = []
        for metric, _ in OVERVIEW:
            first, digits = f"{base}-alfamous", DIGITS[metric]
            mean, se, num, wins, *p_values = summary.compare(run, first, base, metric)
            published = number(alfamous.difference(dataset_of(run), first, base, metric), digits, "+")
            won = f"{wins} of {num}" if num else NOTHING
            leads.append([plus_minus(mean, se, digits, "+"), published, won, *map(p_value, p_values)])
        yield run, base, leads


def _best(text: str, value: float, peers: Sequence[float], digits: int) -> str:
    known = [round(other, digits) for other in peers if not math.isnan(other)]
    return f"**{text}**" if len(known) > 1 and round(value, digits) == max(known) else text
