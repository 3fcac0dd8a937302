"""An extension of the API reference: the fields of a class, each with the comment that stands beside it.

    class Selection(NamedTuple):
        indices: jax.Array  # [b], int32, in the order picked

A comment may go on in the lines right below. A field without one is shown with its type alone.
"""

import io
import pathlib
import tokenize
from functools import lru_cache
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Adds a section "Attributes" to the docstring of every class that has fields."""

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Called for every class, once its members are read."""
        fields = [(name, attribute) for name, attribute in cls.attributes.items() if not name.startswith("_")]
        if not fields or cls.docstring is None:
            return
        lines = [f"    {name}: {_comment(attribute) or f'`{attribute.annotation}`'}" for name, attribute in fields]
        cls.docstring.value += "\n\nAttributes:\n" + "\n".join(lines)


def _comment(attribute: griffe.Attribute) -> str:
    """What stands beside an attribute, "" if nothing does."""
    comments = _comments(str(attribute.filepath))
    line = attribute.endlineno or 0
    text = comments.get(line, (False, ""))[1]
    while text and comments.get(line + 1, (False, ""))[0]:
        line += 1
        text += f" {comments[line][1]}"
    return text


@lru_cache
def _comments(path: str) -> dict[int, tuple[bool, str]]:
    """Line -> whether nothing else stands on it, and its comment."""
    source = pathlib.Path(path).read_text(encoding="utf-8")
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = alone, token.string.lstrip("# ")
    return found
