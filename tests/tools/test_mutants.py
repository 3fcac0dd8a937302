"""The sample of mutants: of a copy of the project, which stays as it is."""

import pathlib
import runpy
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    """A project of one function, whose test does not see all of it."""
    files = {
        "area_code.py": "def area(width, height):\n    return width * height\n\n\ndef more(x):\n    return x + 1\n",
        "test_code.py": "from area_code import area\n\n\ndef test_area():\n    assert area(3, 5) == 15\n",
        "tools/mutants.py": (ROOT / "tools" / "mutants.py").read_text(encoding="utf-8"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def tried(project, *arguments):
    command = [sys.executable, str(project / "tools" / "mutants.py"), "area_code.py", "test_code.py", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_what_git_knows_is_copied(project, tmp_path_factory):
    (project / "unknown.txt").write_text("not added")
    copy = tmp_path_factory.mktemp("copy")
    runpy.run_path(str(ROOT / "tools" / "mutants.py"))["copy_of"](project, copy)
    names = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert names == {"area_code.py", "test_code.py", "tools/mutants.py"}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_mutants_of_what_is_tested_die_and_others_survive(project):
    pytest.importorskip("cosmic_ray")
    before = (project / "area_code.py").read_text()
    done = tried(project, "--tries", "100")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("Mul_Add" in line and line.endswith("killed") for line in lines)
    assert any("Add_Sub" in line and line.endswith("survived") for line in lines)
    every, tries, killed, survived = (int(cell) for cell in lines[-1].split("|")[2:6])
    assert every == tries == killed + survived and min(killed, survived) >= 5
    assert (project / "area_code.py").read_text() == before


@pytest.mark.slow
def test_tests_that_fail_anyway_are_refused(project):
    pytest.importorskip("cosmic_ray")
    (project / "test_code.py").write_text("def test_it():\n    assert False\n")
    done = tried(project)
    assert done.returncode == 1 and "the tests fail without any change" in done.stderr and not done.stdout
