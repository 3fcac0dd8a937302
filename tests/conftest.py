"""Less time in the compiler, where most of the suite's time goes.

XLA optimises less, and the runs that tests start in processes of their own share what they compiled.
"""

import os

import jax  # it reads the environment once, so that this process itself goes without the cache
import pytest

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1"


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
