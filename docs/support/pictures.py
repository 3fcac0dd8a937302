"""A hook of the site: pages stand in the repository as its host shows them, and this makes the site of the same text.

A picture under `results/` is copied into the site when it is built, and the page points to the copy. A link to another
file outside `docs/` has no target in the site: what is left of it is its text, which names the file.
"""

import pathlib
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = re.compile(r"(!?)\[([^\]]*)\]\((?:\.\./)+((?!guide/|api/|pictures/)[\w.][^)\s]*)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds every picture outside `docs/` that a page shows."""
    root = pathlib.Path(config.config_file_path).parent
    pages = [file for file in files if file.src_uri.endswith(".md")]
    found = {target for file in pages for image, _, target in _outside(file, root) if image}
    for target in sorted(found):
        files.append(File.generated(config, target, abs_src_path=str(root / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Points pictures to their copies, and leaves the text of other links outside."""
    up = "../" * page.file.src_uri.count("/")
    root = pathlib.Path(config.config_file_path).parent

    def inside(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        if not _is_outside(page.file, match, root):
            return match[0]
        return f"![{text}]({up}{target})" if image else text

    return OUTSIDE.sub(inside, markdown)


def _outside(file: File, root: pathlib.Path) -> list[tuple[str, str, str]]:
    matches = OUTSIDE.finditer(file.content_string)
    return [(m[1], m[2], m[3]) for m in matches if _is_outside(file, m, root)]


def _is_outside(file: File, match: re.Match[str], root: pathlib.Path) -> bool:
    """Whether a link leads out of `docs/`, to a file of the repository."""
    link = match[0].rpartition("(")[2][:-1].partition("#")[0]
    target = (root / "docs" / file.src_uri).parent / link
    return target.exists() and (root / "docs").resolve() not in target.resolve().parents
