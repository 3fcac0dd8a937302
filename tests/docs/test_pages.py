"""What README and pages promise of themselves: links lead somewhere, pictures are explained, nothing is left out."""

import ast
import importlib
import inspect
import re
import textwrap

import pytest
import yaml
from documents import DOCS, PAGES, README, ROOT, SIGNS, anchor, headings, links, name_of, read

import alfamous_jax

STRATEGIES = DOCS / "strategies.md"
SITE = yaml.safe_load(read(ROOT / "mkdocs.yml"))
PARTS = ("Names:", "Idea.", "Source.", "Settings.", "Cost of a pick.", "Use it when")
MODULES = [*(getattr(alfamous_jax, name) for name in alfamous_jax.__all__)]
MODULES.append(importlib.import_module("alfamous_jax.core.contract"))


def anchors(path):
    """What may stand after # in a link to a page; those of the API are the names of modules and of what is in them."""
    return {anchor(heading) for heading in headings(path)} | set(re.findall(r"^::: (\S+)$", read(path), re.MULTILINE))


@pytest.mark.parametrize("path", [*SIGNS, ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md"], ids=name_of)
def test_links_lead_somewhere(path):
    for link in links(path):
        if link.target.startswith(("http://", "https://")):
            continue
        file, _, place = link.target.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not place or place in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_out_of_the_docs_name_the_file(path):
    """In the site nothing but their text is left."""
    for link in links(path):
        file = (path.parent / link.target.partition("#")[0]).resolve()
        if not link.is_picture and not link.target.startswith(("#", "http")) and DOCS not in file.parents:
            assert re.fullmatch(r"`.+`", link.text) and link.text.strip("`") == name_of(file), link


@pytest.mark.parametrize("path", SIGNS, ids=name_of)
def test_headings_have_one_anchor_on_the_host_and_in_the_site(path):
    found = [anchor(heading) for heading in headings(path)]
    assert len(set(found)) == len(found)
    linked = {link.target.partition("#")[2] for page in SIGNS for link in links(page)} - {""}
    for heading in headings(path):
        assert anchor(heading) not in linked or re.fullmatch(r"[\w ,'?.-]+", heading), heading


@pytest.mark.parametrize("path", SIGNS, ids=name_of)
def test_a_picture_says_what_to_see(path):
    paragraphs = read(path).split("\n\n")
    for before, after in zip(paragraphs, paragraphs[1:] + [""], strict=True):
        if match := re.match(r"!\[(.*)\]\(", before):
            assert len(match[1]) > 20 and "What to see: " in after, before


LISTED = ("api", "upstream")  # folders whose pages have an index of their own


def test_the_readme_is_short():
    assert len(read(README).splitlines()) <= 180


def pages_of(entry):
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in pages_of(part)]


def test_every_page_is_in_the_navigation_and_in_the_readme_or_the_reference():
    assert sorted(pages_of(SITE["nav"])) == sorted(str(path.relative_to(DOCS)) for path in PAGES)
    named = {link.target.partition("#")[0] for link in links(README)}
    assert [name_of(path) for path in PAGES if path.parent.name not in LISTED and name_of(path) not in named] == []


def test_any_warning_of_the_build_is_an_error():
    """With --quiet as well, mkdocs would count no warnings."""
    assert "mkdocs build --strict\n" in read(ROOT / "Makefile") and "make docs\n" in read(ROOT / ".ci" / "run")
    assert set(SITE["validation"]["links"].values()) | set(SITE["validation"]["nav"].values()) == {"warn"}


def test_nothing_is_fetched_by_a_reader_s_browser():
    assert SITE["theme"]["font"] is False and "extra_javascript" not in SITE
    assert [url for url in SITE.get("extra_css", []) if "//" in url] == []


def test_the_map_names_every_room():
    places = [ROOT / "configs", ROOT / "tools"]
    for package in (ROOT / "alfamous_jax", ROOT / "experiments"):
        places += [package, *(path for path in package.iterdir() if path.is_dir() and path.name[0] != "_")]
    rooms = {f"{path.relative_to(ROOT)}/" for path in places if any(path.glob("*.py"))}
    text = read(DOCS / "architecture.md")
    assert set(re.findall(r"^\| `([\w/]+/)` \|", text, flags=re.MULTILINE)) == rooms
    drawn = re.findall(r">([^<>]+)</text>", read(DOCS / "pictures" / "rooms.svg"))
    assert {room.split("/")[1] for room in rooms if room.count("/") == 2} <= set(drawn)


def test_the_table_of_strategies_is_that_of_the_code():
    """After a change `python -c "from experiments.learning.methods import table; print(table())"` writes it."""
    from experiments.learning import methods

    assert methods.table() in read(STRATEGIES)


def sections():
    """The sections about strategies: heading -> text."""
    chapter = read(STRATEGIES).split("\n## Every strategy\n")[1].split("\n## ")[0]
    _, *parts = re.split(r"^### (.*)$", chapter, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_strategy_has_its_section():
    from experiments.learning import methods

    found = [name for text in sections().values() for name in re.findall(r"`(.+?)`", text.split("\n- ")[1])]
    assert sorted(found) == sorted(methods.names())
    for heading, text in sections().items():
        assert re.findall(r"^- \*\*(.+?)\*\*", text, flags=re.MULTILINE) == list(PARTS), heading


def test_what_may_stand_after_a_name_is_there():
    from experiments.learning.methods import vabal
    from experiments.plan import choices, strategies

    text = read(STRATEGIES) + read(DOCS / "experiments.md")
    assert all(f"`@{option}`" in sections()["VaB-AL"] for option in vabal.OPTIONS)
    assert all(f"| `{scheme}` |" in text for scheme in strategies.SCHEMES)
    assert all(f"| `{name}` |" in text for name in choices.RANKINGS)
    assert all(f"`-{form}`" in text for form in strategies.FORMS if form)
    assert "`us-alfamous@8` asks for 8 rows before it updates" in text


def test_defaults_of_settings_are_those_of_the_configs():
    from configs.base import get_base

    found = re.findall(r"`config\.([\w.]+)`\s+\((\(.*?\)|[^()]*?)\)", read(STRATEGIES))
    assert len(found) > 15
    for field, default in found:
        value = get_base()
        for part in field.split("."):
            value = value[part]
        assert ast.literal_eval(default) == value, field


def test_the_fields_of_a_view_are_told():
    from experiments.learning.view import OPTIONAL, View

    table = read(DOCS / "own-strategy.md").split("| field | shape | holds |\n")[1].split("\n\n")[0]
    told = {name: row for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(told) == set(View._fields)
    assert {name for name, row in told.items() if "ask for it" in row} == set(OPTIONAL)


def test_the_reference_has_every_public_module():
    shown = re.findall(r"^::: (\S+)$", "".join(map(read, sorted((DOCS / "api").glob("*.md")))), flags=re.MULTILINE)
    assert sorted(shown) == sorted(module.__name__ for module in MODULES)
    index = read(DOCS / "api" / "index.md")
    assert all(f"`{module.__name__.removeprefix('alfamous_jax.')}`" in index or
               f"`{module.__name__.rpartition('.')[2]}`" in index for module in MODULES)  # fmt: skip


def public_names(module):
    """What a module offers: its `__all__`, or what is written in it without an underscore before it."""
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__ and callable(thing)
        if name in getattr(module, "__all__", ()) or (own and not name.startswith("_")):
            yield f"{module.__name__}.{name}", thing
            for attribute, method in vars(thing).items() if inspect.isclass(thing) else ():
                if inspect.isfunction(method) and not attribute.startswith("_") and attribute in _written(thing):
                    yield f"{module.__name__}.{name}.{attribute}", method


def _written(cls):
    """The names that stand in the source of a class, but for what NamedTuple and flax put there."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def is_documented(thing):
    """Whether somebody wrote a docstring; a NamedTuple and a dataclass get their signature for one."""
    doc = inspect.getdoc(thing) or ""
    return bool(doc) and not doc.startswith(f"{getattr(thing, '__name__', '')}(") and doc != inspect.getdoc(tuple)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_public_names_have_docstrings(module):
    assert is_documented(module)
    names = dict(public_names(module))
    assert names and [name for name, thing in names.items() if not is_documented(thing)] == []
