"""The constraints that the oldest environment is installed with."""

import pathlib
import runpy
import subprocess
import sys

import pytest

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "lowest_bounds.py"
constraints = runpy.run_path(str(TOOL))["constraints"]


def project(*dependencies):
    extras = {
        "experiments": ["rich>=13"],
        "export": ["flat-buffers>=24.3.25"],
        "page": ["flask>=3.1"],
        "ray": ["ray>=2.9"],
    }
    return {"dependencies": list(dependencies), "optional-dependencies": extras}


def test_every_bound_becomes_a_version():
    expected = ["jax==0.10", "numpy==2.0", "rich==13", "flat-buffers==24.3.25", "flask==3.1"]
    assert constraints(project("jax>=0.10", "numpy>=2.0")) == expected


@pytest.mark.parametrize("requirement", ["jax", "jax==0.10", "jax>=0.10,<1", "jax[cuda]>=0.10", "jax>=0.10; extra"])
def test_what_is_no_lower_bound_is_refused(requirement):
    with pytest.raises(ValueError, match="expected NAME>=VERSION, got 'jax"):
        constraints(project(requirement))


def test_of_this_project():
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, check=True)
    assert "jax==0.10" in done.stdout.splitlines() and all("==" in line for line in done.stdout.splitlines())
