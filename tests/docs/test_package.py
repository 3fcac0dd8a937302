"""What an installed package holds, tried outside the checkout."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build",
        "--build-base",
        str(folder),
        "--build-lib",
        str(folder / "lib"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "lib"


def test_the_package_ships_itself_and_its_data_alone(built):
    assert {path.name for path in built.iterdir()} == {"alfamous_jax"}
    shipped = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    modules = {path.relative_to(ROOT) for path in (ROOT / "alfamous_jax").rglob("*.py")}
    assert shipped == modules | {pathlib.Path("alfamous_jax/datasets/letter.npz")}


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
    import alfamous_jax

    assert f'version="{alfamous_jax.__version__}"' in (ROOT / "setup.py").read_text(encoding="utf-8")
    assert f"## {alfamous_jax.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
