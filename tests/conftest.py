"""One compile cache for all processes of a test run: the workers of xdist, and the runs that tests start."""

import os
import shutil
import tempfile


def pytest_configure(config):
    if hasattr(config, "workerinput") or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="alfamous-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
