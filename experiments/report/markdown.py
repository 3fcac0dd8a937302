"""What the reports share: numbers as text, tables in Markdown, results of a run beside the published ones."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.published import alfamous
from experiments.report import summary
from experiments.report.names import plain
from experiments.report.runs import Run
from experiments.store.environment import differences

RESULTS = (("accuracy", "accuracy", 3), ("macro_f1", "macro F1", 3), ("cbi", "CBI", 2))
BATCHES = (("ed_diversity", "Euclidean", 3), ("kl_diversity", "KL", 4), ("l1_score", "L1 score", 3))
LABELS = {metric: label for metric, label, _ in RESULTS + BATCHES}
DIGITS = {metric: digits for metric, _, digits in RESULTS + BATCHES}
NOTHING = "-"
LARGE = 1e9  # numbers from here on are written in powers of ten
MACHINE = ("date", "git_revision", "python", "jax", "jaxlib", "backend", "xla_flags", "devices", "cpu", "cores")

Part = str | tuple[Sequence[str], Iterable[Sequence[str]]]  # of a report: a paragraph, or a table's header and rows


class Result(NamedTuple):
    """A strategy in one metric, beside the paper; NaN where there is no number."""

    mean: float
    se: float
    published: float
    digits: int


def results(run: Run, dataset: str) -> Iterator[tuple[str, int, list[Result]]]:
    """Name, number of complete seeds and one `Result` for each of `RESULTS`, strategy by strategy."""
    paper = alfamous.load_results(dataset)
    for name in run.lanes:
        row = []
        for metric, _, digits in RESULTS:
            mean, se, _ = summary.mean_over_seeds(run, name, metric)
            row.append(Result(mean, se, paper.get(name, {}).get(metric, math.nan), digits))
        yield name, len(summary.seed_means(run, name, "accuracy")), row


def result_cells(row: Iterable[Result], beside_paper: bool = True) -> Iterator[str]:
    """Of each `Result`: ours and, beside a paper, its number and the difference."""
    for mean, se, published, digits in row:
        yield plus_minus(mean, se, digits)
        if beside_paper:
            yield from (number(published, digits), number(mean - published, digits, "+"))


def document(parts: Iterable[Part]) -> str:
    """The text of a report; empty paragraphs are left out."""
    paragraphs = [part if isinstance(part, str) else table(*part) for part in parts]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def machine(environment: Mapping[str, Any]) -> str:
    """What a run was made on and with, one bullet each."""
    known = [(key, environment[key]) for key in MACHINE if environment.get(key) is not None]
    facts = [f"{key}: {plain(', '.join(map(str, v)) if isinstance(v, list) else v)}" for key, v in known]
    facts += ["the code had changes that were not committed"] * bool(environment.get("git_dirty"))
    for part in environment.get("parts", []):
        if changed := differences(environment, part):
            facts.append(f"not so in the part of {plain(part.get('date', NOTHING))}: {plain(changed)}")
    return bullets(facts)


def number(value: float, digits: int, sign: str = "") -> str:
    """A number at a fixed number of digits, `NOTHING` for NaN; sign "+" writes it always, zero is never -0."""
    if math.isnan(value):
        return NOTHING
    return f"{value:{sign}z.{digits}f}" if abs(value) < LARGE else f"{value:{sign}.3g}"


def plus_minus(mean: float, se: float, digits: int, sign: str = "") -> str:
    """A mean and its standard error, or the mean alone where that is NaN."""
    return number(mean, digits, sign) + ("" if math.isnan(se) else f" ± {number(se, digits)}")


def p_value(p: float) -> str:
    """Three digits of a p-value."""
    return "< 0.001" if p < 0.001 else number(p, 3)


def short(text: str) -> str:
    """The same for narrow columns: no blanks, no zero before the point."""
    return re.sub(r"(?<!\d)0\.", ".", text.replace(" ", ""))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table whose first `left` columns are flush left and the others flush right."""
    rule = [":--"] * left + ["--:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def bullets(lines: Iterable[str]) -> str:
    """One bullet per line."""
    return "\n".join(f"- {line}" for line in lines)
