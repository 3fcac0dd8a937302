"""Nothing is written past the helpers that replace a file at once and follow no link."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[3]
WRITERS = {"write_text", "write_bytes", "savez", "savez_compressed", "savefig", "tofile"}
OURS = ("write_text", "files.write_text")
SOURCES = [path for folder in ("experiments", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]
# Into a folder that was made for it and is deleted.
FREE = {"experiments/bench/others/export.py", "experiments/bench/others/first.py"}


def written_directly(tree):
    """Lines of calls that open a file to write it, or hand a path to what does; a file in hand is called `file`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [arg.value for arg in (*node.args, *(k.value for k in node.keywords)) if isinstance(arg, ast.Constant)]
        modes = [
            value for value in values if isinstance(value, str) and 0 < len(value) <= 3 and set(value) <= set("rwabt+x")
        ]
        if name == "open" and any(set(mode) & set("wa+") for mode in modes):
            yield node.lineno
        in_hand = node.args and getattr(node.args[0], "id", "") == "file"
        if name in WRITERS and not in_hand and ast.unparse(node.func) not in OURS:
            yield node.lineno


def test_files_are_written_by_the_helpers():
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    found = {name: list(written_directly(tree)) for name, tree in trees.items() if name not in FREE}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_direct_writing_is_found():
    code = (
        'path.open("w")\nopen(path, "ab")\npath.write_text("")\nnp.savez(path)\nfigure.savefig(file)\npath.open("rb")\n'
    )
    assert list(written_directly(ast.parse(code + 'path.open("xb")\nfiles.write_text(path, "")'))) == [1, 2, 3, 4]
