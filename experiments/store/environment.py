"""The machine, the versions and the code that something was done with."""

import datetime
import hashlib
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax

PACKAGES = ("jaxlib", "numpy", "scipy", "flax", "optax")
ROOT = pathlib.Path(__file__).parents[2]
VERSIONS = ("python", "jax", *PACKAGES, "alfamous_jax", "git_revision", "code", "own_code")
DECIDES = (
    *VERSIONS,
    "cpu",
    "cores",
    "backend",
    "xla_flags",
    "devices",
)  # may change a result, at the least in its last digits


def environment() -> dict:
    """Versions, device and git revision, for `environment.json`."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "arguments": sys.argv[1:],
        "python": platform.python_version(),
        "jax": jax.__version__,
        **{name: metadata.version(name) for name in PACKAGES},
        "alfamous_jax": _version("alfamous-jax"),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "backend": jax.default_backend(),
        "xla_flags": os.environ.get("XLA_FLAGS"),
        "devices": [device.device_kind for device in jax.devices()],
        "git_revision": _git("rev-parse", "HEAD") or "unknown",
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "code": _code(),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What may change a result and is not as it was, in a phrase; "" if all of it is."""
    changed = [name for name in DECIDES if name in before and before[name] != now.get(name)]
    return ", ".join(f"{name} {_short(before[name])} (now {_short(now.get(name))})" for name in changed)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _code() -> str:
    """A digest of the code, committed or not."""
    digest = hashlib.sha256()
    for path in sorted(path for package in ("alfamous_jax", "experiments") for path in (ROOT / package).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _cpu_name() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _git(*args: str) -> str:
    try:
        done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
