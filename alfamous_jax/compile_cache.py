"""Compiled programs kept on disk, so that the next process does not compile them again."""

import hashlib
import os
import pathlib
import platform

import jax

MIN_COMPILE_S = 0.02  # what compiles faster is not worth a file; a run has dozens of small programs


def default_folder() -> str:
    """ALFAMOUS_COMPILE_CACHE, else nothing where JAX's own variable is set, else a folder of this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    own = "" if "JAX_COMPILATION_CACHE_DIR" in os.environ else f"{cache}/alfamous_jax/xla"
    return os.environ.get("ALFAMOUS_COMPILE_CACHE", own)


def use(folder: str | None = None) -> None:
    """Has this process read and write compiled programs in a folder; call it before anything is compiled.

    Args:
      folder: by default `default_folder()`; "" leaves JAX as it is.

    Machines that share the folder share programs only with their like: a program compiled for one CPU may
    hold instructions that another lacks. What another process has half written is compiled again, with a warning.
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS says from how many seconds of compiling on a program is kept, .02
    without it.
    """
    folder = default_folder() if folder is None else folder
    if folder:
        path = pathlib.Path(folder).expanduser() / _machine()
        jax.config.update("jax_compilation_cache_dir", str(path))
        if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
            jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_S)


def _machine() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:12]}"
