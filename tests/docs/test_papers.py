"""The page on the five papers: its count is that of its tables, and the tests that it names are there."""

import re
from collections import Counter

from documents import ROOT, read

PAGE = read(ROOT / "docs" / "papers.md")
STATES = {
    "done": r"(\d+) are done",
    "partly": r"(\d+) partly",
    "deviates": r"(\d+) deviate",
    "not run": r"(\d+) were not run",
    "from elsewhere": r"(\d+) from elsewhere",
}


def items():
    """State of every row of the tables of items."""
    for table in re.findall(r"^\| item \| state \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        for line in table.splitlines():
            yield line.split(" | ")[1]


def test_the_count_is_that_of_the_tables():
    found, said = Counter(items()), re.sub(r"\s+", " ", PAGE)
    assert set(found) == set(STATES)
    assert {state: int(re.search(pattern, said)[1]) for state, pattern in STATES.items()} == found
    assert int(re.search(r"Of (\d+) items", said)[1]) == found.total()


def test_every_test_that_is_named_is_there():
    (section,) = re.findall(r"## What holds the readings\n(.*)", PAGE, re.DOTALL)
    rows = [line for line in section.splitlines() if "test_" in line]
    assert len(rows) >= 13
    for row in rows:
        path = None
        for named in re.findall(r"`([^`]*(?:\.py|::)[^`]*)`", row.split(" | ")[1]):
            file, _, name = named.partition("::")
            path = ROOT / "tests" / file if file else path
            assert path.is_file(), named
            assert not name or f"def {name}(" in read(path), named
