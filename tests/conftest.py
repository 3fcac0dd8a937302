"""What keeps the suite short and its processes alive: the longest files first, few compiled programs at a time."""

import os

import jax  # it reads the environment once, so that this process itself goes without the cache
import pytest

LONGEST = ("test_run.py", "test_conformance.py", "test_balance_lp.py", "test_train.py", "test_sharded_selector.py")


def pytest_collection_modifyitems(items):
    """Files go to the processes in this order; a long one at the end would run alone."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file_at_a_time():
    """A process has room for some 65,000 memory maps, and every compiled program takes several."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def compile_cache_of_child_processes(tmp_path_factory):
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }
    os.environ.update(settings)
    yield
    for name in settings:
        del os.environ[name]
