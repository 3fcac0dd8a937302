"""The package imports JAX and nothing heavier, and imports go one way."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = "alfamous_jax"
LAYERS = [
    {"collectives"},
    {"acquisition", "random_features", "spectral", "sequential", "metrics", "imbalance", "augment", "cross_validation"},
    {"laplace", "balance"},
    {"updates", "lp_pool", "lp_dual", "local_search", "diversity", "batch_bald", "svm"},
    {"lp_relaxation", "minority", "centroids"},
    {"balance_lp", "single_stage"},
    {"cycle"},
    {"exported"},
    {"models"},
    {"train", "vae"},
    {"datasets", "vaal", "stage_vae"},
    {"vabal"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
HEAVY = ["flax", "optax", "orbax", "ml_collections", "matplotlib", "rich", "sklearn", "scipy.optimize", "scipy.stats"]


def module_name(path):
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return parts[0]


def imported(path):
    """Our own modules that a file imports, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_import_is_light():
    code = f"import sys, {PACKAGE}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_every_module_has_a_layer():
    found = {module_name(path) for path in (ROOT / PACKAGE).rglob("*.py")} - {"__init__"}
    assert found == set(LEVEL)


@pytest.mark.parametrize("path", sorted((ROOT / PACKAGE).rglob("*.py")), ids=lambda path: path.stem)
def test_arrows_point_down(path):
    name = module_name(path)
    for target in imported(path):
        parts = target.split(".")
        assert parts[0] not in ("experiments", "configs"), f"{path.name} imports {target}"
        if parts[0] == PACKAGE and name != "__init__" and parts[1] != name:
            assert LEVEL[parts[1]] < LEVEL[name], f"{name} imports {parts[1]}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.py")), ids=lambda path: path.stem)
def test_configs_import_ml_collections_alone(path):
    assert {target.split(".")[0] for target in imported(path)} <= {"ml_collections", "configs"}
