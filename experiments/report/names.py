"""Names that stand in somebody's files, as a terminal, a page and a figure can show them."""

import re

LONGEST = 200  # signs of a name that are shown


def visible(text: object, longest: int = LONGEST) -> str:
    """Text without signs that cannot be seen: a line's end is \\n, what is too long ends in three points."""
    start = str(text)[: longest + 1]
    seen = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in start)
    return seen if len(seen) <= longest else f"{seen[: longest - 3]}..."


def plain(text: object, longest: int = LONGEST) -> str:
    """The same where signs of Markdown, HTML or TeX would mean something."""
    return re.sub(r"([\\`*_{}\[\]<>|$#&~^])", r"\\\1", visible(text, longest))
