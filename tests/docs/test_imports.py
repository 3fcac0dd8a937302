"""Imports go one way: the arrows are read from the code, the rules are those of the rooms.

A room is a folder or a front module of `alfamous_jax` and of `experiments`, or another folder at the top of the tree.
"""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SKIPPED = {"build", "dist", "runs"}  # what is written, not read
HEAVY = ["flax", "optax", "orbax", "ml_collections", "matplotlib", "rich", "sklearn", "scipy.optimize", "scipy.stats"]

# What each room may import beside itself, by name.
MATHS = "acquisition imbalance laplace metrics updates"
LIBRARY = {
    "core": "",
    "_bald": "core",
    **dict.fromkeys(MATHS.split(), f"core {MATHS}"),
    "acquisition": "core laplace _bald",
    "selection": "core acquisition",
    "networks": "core imbalance metrics",
    "autoencoders": "core networks",
    "datasets": "imbalance",
    "utilities": "core acquisition laplace",
    "compile_cache": "",
    "cycle": "core acquisition laplace updates utilities selection",
    "out_of_core": "laplace updates utilities cycle selection",
    "exported": "core laplace utilities cycle",
    "stopping": "core laplace updates",
    "estimate": "core",
    "last_layer": "core laplace networks",
    "_strategies": "core laplace cycle selection",
    "_saved": "core datasets",
    "session": "core datasets laplace updates cycle stopping estimate last_layer _saved _strategies",
    "__main__": "core datasets session",
    "_pool_strategy": "cycle last_layer _strategies",
    "_classifier_file": "laplace networks last_layer _saved",
    "estimator": "laplace updates _classifier_file last_layer _pool_strategy",
    "rounding": "core laplace updates cycle",
}
DOORS = ["run", "single_stage", "train_source", "annotate", "scaling", "precision", "image_folder", "extract_features"]
DOORS += ["merge"]
ROOMS = "plan store published learning engines conformance report paper bench label stopping"
EXPERIMENTS = {
    "stopping": "",
    "plan": "",
    "store": "",
    "published": "",
    "learning": "plan store",
    "engines": "learning plan store stopping",
    "conformance": "learning plan store stopping",
    "report": "plan store published stopping",
    "paper": "plan store published report stopping",
    "label": "stopping",
    "benchmark": f"{ROOMS} run",
    "bench": ROOMS,
    "command_line": "",
    **dict.fromkeys(DOORS, f"{ROOMS} command_line"),
}
USE_THE_LIBRARY = ["learning", "conformance", "label", "bench", "benchmark", *DOORS]


def named(package, names):
    return {f"{package}.{name}" for name in names}


def rules():
    """The rooms that each room may import."""
    library = named("alfamous_jax", LIBRARY)
    may = {f"alfamous_jax.{room}": named("alfamous_jax", names.split()) for room, names in LIBRARY.items()}
    may |= {f"experiments.{room}": named("experiments", names.split()) for room, names in EXPERIMENTS.items()}
    for room in USE_THE_LIBRARY:
        may[f"experiments.{room}"] |= library | {"alfamous_jax"}
    may["experiments.store"] |= {"alfamous_jax.core", "configs"}
    may["experiments.engines"] |= {"alfamous_jax", "alfamous_jax.compile_cache"}
    may["experiments.benchmark"] |= {"configs"}
    may["experiments.bench"] |= {"configs"}
    may["experiments.conformance"] |= {"configs"}
    may |= {"alfamous_jax": library, "experiments": {"experiments.stopping"}, "configs": set(), "tools": set()}
    everything = set(may)
    return may | {"examples": everything - {"tools"}, "tests": everything, "docs": everything}


MAY = rules()


def module_name(path):
    """`a.b` for a/b.py and for a/b/__init__.py; `a.b.__main__` for a/b/__main__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources():
    """Every module of the tree: its dotted name -> its file."""
    folders = (path for path in ROOT.iterdir() if path.is_dir() and path.name not in SKIPPED)
    folders = [path for path in folders if not path.name.startswith(".")]
    return {module_name(path): path for folder in folders for path in sorted(folder.rglob("*.py"))}


SOURCES = sources()
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def room(name):
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] in ("alfamous_jax", "experiments") else parts[0]


def imported(name):
    """All that a module imports, in functions too, as dotted names."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def modules_of_ours(name):
    """The modules of the tree that a module imports; `from package import thing` counts as the package."""
    for target in imported(name):
        found = target if target in SOURCES else target.rpartition(".")[0]
        if found in SOURCES:
            yield found


ARROWS = {name: sorted(set(modules_of_ours(name)) - {name}) for name in SOURCES}


def circles(arrows):
    """The strongly connected components of more than one node (Tarjan's algorithm)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for target in arrows[node]:
            if target not in number:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == number[node]:
            component = stack[stack.index(node) :]
            del stack[-len(component) :]
            found.append(component)

    for node in arrows:
        if node not in number:
            visit(node)
    return [sorted(component) for component in found if len(component) > 1]


def is_script(name):
    """Whether a module can be started by its path: it asks for its own name."""
    comparisons = (node for node in ast.walk(TREES[name]) if isinstance(node, ast.Compare))
    return name.endswith("__main__") or any(ast.unparse(node) == "__name__ == '__main__'" for node in comparisons)


def test_every_room_has_a_rule_and_every_rule_a_room():
    found = {room(name) for name in SOURCES}
    assert found - set(MAY) == set(), "rooms without a rule: give each one in this file"
    assert set(MAY) - found - {"examples", "docs"} == set(), "rules without a room"


@pytest.mark.parametrize("place", sorted(MAY))
def test_a_room_imports_what_it_may(place):
    arrows = [(name, target) for name in SOURCES if room(name) == place for target in ARROWS[name]]
    wrong = [f"{name} -> {target}" for name, target in arrows if room(target) not in MAY[place] | {place}]
    assert wrong == []


def test_what_is_private_stays_in_its_room():
    wrong = []
    for name in SOURCES:
        for target in [] if room(name) == "tests" else ARROWS[name]:
            parts = target.split(".")
            private = [i for i, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
            if private and not f"{name}.".startswith(f"{room('.'.join(parts[: private[0]]))}."):
                wrong.append(f"{name} -> {target}")
    assert wrong == []


def test_there_is_no_circle():
    assert circles(ARROWS) == []


def test_circles_are_found():
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a", "e"], "e": []}) == [["b", "c"]]
    assert circles({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_no_script_finds_a_file_of_ours_in_the_place_of_python_s():
    """Python looks into the folder of a script first, and pytest puts the folder of a test there."""
    folders = {SOURCES[name].parent for name in SOURCES if room(name) == "tests" or is_script(name)}
    beside = [path for folder in folders for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
    assert [str(path.relative_to(ROOT)) for path in beside if path.stem in sys.stdlib_module_names] == []


@pytest.mark.parametrize("name", [name for name in sorted(SOURCES) if room(name) == "configs"])
def test_configs_import_ml_collections_alone(name):
    assert {target.split(".")[0] for target in imported(name)} <= {"ml_collections", "configs"}


def loaded_by(modules, suspects):
    """Those of the suspects that are loaded in a fresh process once the modules are."""
    code = f"import sys, {', '.join(modules)}; print([name for name in {suspects} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return ast.literal_eval(done.stdout)


def test_import_is_light():
    assert loaded_by(["alfamous_jax"], HEAVY) == []


def test_a_plan_is_made_without_jax():
    plan = [name for name in SOURCES if room(name) == "experiments.plan"]
    assert plan and loaded_by(plan, ["jax", "jaxlib", "flax", "alfamous_jax"]) == []
