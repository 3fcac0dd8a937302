"""The documents of the project, read: blocks of code, commands, headings, links and pictures of each."""

import pathlib
import re
import shlex
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(DOCS.rglob("*.md"))
SIGNS = [README, *PAGES]  # what is written for readers; other documents are read for their commands alone
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md", ROOT / "examples" / "README.md"]
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)


class Link(NamedTuple):
    """What stands behind a text or a picture."""

    text: str
    target: str
    is_picture: bool


def name_of(path):
    """How tests name a document."""
    return str(path.relative_to(ROOT))


def read(path):
    """Its text."""
    return path.read_text(encoding="utf-8")


def blocks(path):
    """The blocks of Python of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", read(path), flags=re.DOTALL | re.MULTILINE)


def prose(path):
    """A page without its blocks and without its indented code."""
    lines = FENCED.sub("", read(path)).splitlines()
    return "\n".join(line for line in lines if not line.startswith("    "))


def links(path):
    """The links and pictures of a page; code spans hold none."""
    text = re.sub(r"`[^`\n]*`", lambda code: code[0].translate({ord(c): "." for c in "[]()"}), prose(path))
    return [Link(m[2], m[3], bool(m[1])) for m in re.finditer(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", text)]


def headings(path):
    """The headings of a page, without their marks."""
    return re.findall(r"^#{1,6} +(.+)$", FENCED.sub("", read(path)), flags=re.MULTILINE)


def anchor(heading):
    """What a link to a heading says after #, on the host of the repository and in the site alike."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def code(path):
    """Everything that stands as code in a document, continued lines joined: indented lines and spans."""
    text = FENCED.sub("", read(path))
    text = re.sub(r"\\+\n\s*", "", text)
    indented = re.findall(r"^ {4,}(.+)$", text, flags=re.MULTILINE)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", text)]
    return indented + spans


def commands(path):
    """The commands of a document, each as a list of words."""
    found = []
    for line in code(path):
        if re.match(r"(make|pip|python) ", line):
            found.append(shlex.split(line.replace("...", ""), comments=True))
    return found
