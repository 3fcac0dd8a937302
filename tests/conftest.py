"""What keeps the suite short and its processes alive: the longest files first, few compiled programs at a time."""

import os
import pathlib

import jax  # it reads the environment once, so that this process itself goes without the cache
import pytest

LONGEST = (
    "test_conformance.py",
    "test_run.py",
    "test_balance_lp.py",
    "test_readme.py",
    "test_vabal.py",
    "test_engines.py",
    "test_schemes.py",
    "test_train.py",
    "test_sharded_selector.py",
)


def pytest_collection_modifyitems(items):
    """Files go to the processes in this order; a long one at the end would run alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (order.get(item.path.name, len(order)), item.path not in slow))


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file_at_a_time():
    """A process has room for some 65,000 memory maps, and every compiled program takes several."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def compile_cache_of_child_processes(tmp_path_factory):
    """One folder for the children of all processes of pytest, which start the same commands."""
    base = tmp_path_factory.getbasetemp()
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    pathlib.Path(settings["JAX_COMPILATION_CACHE_DIR"]).mkdir(exist_ok=True)
    os.environ.update(settings)
    yield
    for name in settings:
        del os.environ[name]
