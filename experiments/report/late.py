"""What a run wants of its report, at its end alone: Matplotlib and SciPy's statistics take a second to import."""

import pathlib

from rich.console import Console


def write(workdir: pathlib.Path) -> pathlib.Path:
    """See `page.write_report`."""
    from experiments.report import page

    return page.write_report(workdir)


def show(workdir: pathlib.Path) -> None:
    """Prints the results of the strategies as a table."""
    from experiments.report import page, runs

    Console().print(page.summary_table(runs.load(workdir)))
