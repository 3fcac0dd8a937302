"""What the package is from outside: what an installed copy holds, tried outside the checkout, and its one door."""

import importlib
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

import alfamous_jax

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build"]
    places = ["--build-base", str(folder), "--build-lib", str(folder / "lib")]
    done = subprocess.run([*command, *places], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "lib"


def test_the_package_ships_itself_its_types_and_its_data_alone(built):
    assert {path.name for path in built.iterdir()} == {"alfamous_jax"}
    shipped = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    modules = {path.relative_to(ROOT) for path in (ROOT / "alfamous_jax").rglob("*.py")}
    assert shipped == modules | {
        pathlib.Path("alfamous_jax/datasets/letter.npz"),
        pathlib.Path("alfamous_jax/py.typed"),
    }


@pytest.mark.slow
def test_the_installed_copy_finds_its_data(built, tmp_path):
    code = (
        "import alfamous_jax, alfamous_jax.datasets as d; "
        "print(alfamous_jax.__file__, d.load('letter', 26, 5000).x_train.shape)"
    )
    env = {**os.environ, "PYTHONPATH": str(built)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split(maxsplit=1) == [str(built / "alfamous_jax" / "__init__.py"), "(15000, 16)\n"]


def test_version_is_one_number():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "alfamous_jax.__version__"}
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?{re.escape(alfamous_jax.__version__)}\b", changelog, re.MULTILINE)


def public_modules():
    """What a module with no underscore in its path is called, and where it lies."""
    for path in sorted((ROOT / "alfamous_jax").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.name == "__init__.py":
            parts = parts[:-1]
        if "core" not in parts and parts[1:] and not any(part.startswith("_") for part in parts):
            yield parts[-1], ".".join(parts)


def test_every_public_module_is_reached_from_the_top():
    rooms = {"autoencoders", "networks", "selection"}
    found = {name: place for name, place in public_modules() if name not in rooms and ".datasets." not in place}
    assert sorted(found) == alfamous_jax.__all__
    for name, place in found.items():
        assert getattr(alfamous_jax, name) is importlib.import_module(place)
    assert set(alfamous_jax.__all__) < set(dir(alfamous_jax))


@pytest.mark.slow
def test_what_is_heavy_comes_when_it_is_asked_for():
    code = (
        "import sys, alfamous_jax; print([name for name in ('flax', 'optax') if name in sys.modules]); "
        "from alfamous_jax import datasets; print('flax' in sys.modules); "
        "from alfamous_jax import svm, train; print(svm.__name__, train.__name__, 'flax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = "alfamous_jax.networks.svm alfamous_jax.networks.train"
    assert done.stdout.splitlines() == ["[]", "False", f"{modules} True"]


def test_a_name_that_is_nowhere_is_named():
    with pytest.raises(AttributeError, match="'alfamous_jax' has no attribute 'nonsense'"):
        _ = alfamous_jax.nonsense
    with pytest.raises(ImportError, match="cannot import name 'nonsense' from 'alfamous_jax'"):
        from alfamous_jax import nonsense  # noqa: F401
