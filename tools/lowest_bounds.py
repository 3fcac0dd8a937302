"""The lowest versions that pyproject.toml allows, as constraints for pip: what `make test-oldest` installs.

    python tools/lowest_bounds.py > constraints.txt

It runs alone: nothing but Python's own library is imported.
"""

import pathlib
import re
import tomllib

PROJECT = pathlib.Path(__file__).parents[1] / "pyproject.toml"
BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)")


def constraints(project: dict) -> list[str]:
    """`name==version` for every `name>=version` of a pyproject.toml, the extras that tests need not counted in.

    Args:
      project: the table `[project]`.

    Returns:
      one line for each library of the package and of the extras `experiments`, `export` and `page`, in their order.

    Raises:
      ValueError: a library has no lower bound, or something beside it.
    """
    extras = project["optional-dependencies"]
    lines = []
    for requirement in [*project["dependencies"], *extras["experiments"], *extras["export"], *extras["page"]]:
        match = BOUND.fullmatch(requirement)
        if match is None:
            raise ValueError(f"pyproject.toml: expected NAME>=VERSION, got {requirement!r}")
        lines.append("{}=={}".format(*match.groups()))
    return lines


if __name__ == "__main__":
    print("\n".join(constraints(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"])))
