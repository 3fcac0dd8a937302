"""`experiments.bench beyond`: a cycle on a pool that lies in a file, against reading that file."""

import argparse
import os
import pathlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.progress import Progress

from alfamous_jax import cycle, laplace, map_head, out_of_core

SIZE = 100_000  # rows of the sub-pool, at most a tenth of the pool
RATIO = 100  # of the largest class over the smallest
LABELLED = 20  # rows of each class known before the cycle, if it has as many among the first CHUNK
RIDGE, LAM = 0.1, 0.1
CHUNK = 65_536  # rows written and read at a time


def measure(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Times each pass over a file of half precision, and the cycle between them.

    Args:
      args: rows N, features D, classes K, budget b; the file takes 2 N D bytes where temporary files go.

    Returns:
      rows of a table: seconds, the rate in bytes of the file, the ratio to reading the file from the disk; what the
      cycle on the sub-pool missed, and the most memory that the process has held, in GB.
    """
    with tempfile.TemporaryDirectory() as folder, Progress(disable=not sys.stdout.isatty()) as bars:

        def bar(name: str) -> Callable[[int], None]:
            task = bars.add_task(name, total=args.rows)
            return lambda done: bars.update(task, completed=done)

        path = pathlib.Path(folder) / "features.npy"
        labels, write_s = _labels(args), _write(path, args, bar("write"))
        read_s = _read(path, bar("read"))
        features = np.load(path, mmap_mode="r")
        known = _known(labels, args.classes)
        posterior, counts = _head(np.asarray(features[known], np.float32), labels[known], args.classes)
        available = np.ones(args.rows, bool)
        available[known] = False

        _drop(path)
        options: dict[str, Any] = {"utility": "margin", "lam": LAM}
        start = time.perf_counter()
        arrays = posterior, features, available, counts
        kept = out_of_core.sift(*arrays, size=min(SIZE, args.rows // 10), told=bar("sift"), **options)
        sift_s = time.perf_counter() - start

        start = time.perf_counter()
        pool = posterior, kept.phi, labels[kept.rows], np.ones(len(kept.rows), bool), counts
        _, info = cycle.run(jax.random.key(0), *pool, budget=args.budget, **options)
        picks = kept.rows[np.asarray(info.indices)]
        cycle_s = time.perf_counter() - start

        _drop(path)
        start = time.perf_counter()
        found = out_of_core.missed(*arrays, kept.rows, picks, labels[picks], told=bar("missed"), **options)
        missed_s = time.perf_counter() - start
        size_gb = path.stat().st_size / 1e9
    times = {"write": write_s, "read": read_s, "sift": sift_s, "cycle": cycle_s, "missed": missed_s}
    table = {name: {"seconds": s} for name, s in times.items()}
    for name in ("write", "read", "sift", "missed"):
        table[name] |= {"GB/s": size_gb / times[name], "of a read": times[name] / read_s}
    table["cycle"] |= {"rows": float(len(kept.rows))}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    table["missed"] |= {"picks": float(found.num_picks), "first": float(found.first), "memory GB": memory}
    return table


def _labels(args: argparse.Namespace) -> np.ndarray:
    """Classes [N], whose sizes fall from the first to the last by the same factor."""
    shares = RATIO ** -np.linspace(0, 1, args.classes)
    return np.random.default_rng(1).choice(args.classes, args.rows, p=shares / shares.sum()).astype(np.int32)


def _write(path: pathlib.Path, args: argparse.Namespace, told: Callable[[int], None]) -> float:
    """Rows of about length 1 round a centre for each class, part by part; seconds until the disk has them."""
    rng, labels, start = np.random.default_rng(0), _labels(args), time.perf_counter()
    centres = rng.normal(size=(args.classes, args.features)).astype(np.float32) / np.sqrt(args.features)
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (args.rows, args.features))
    for first in range(0, args.rows, CHUNK):
        part = labels[first : first + CHUNK]
        noise = rng.standard_normal((len(part), args.features), np.float32) / np.sqrt(args.features)
        rows[first : first + len(part)] = 0.5 * centres[part] + noise
        told(first + len(part))
    rows.flush()
    return time.perf_counter() - start


def _read(path: pathlib.Path, told: Callable[[int], None]) -> float:
    """Seconds to read the file from the disk."""
    _drop(path)
    rows, start = np.load(path, mmap_mode="r"), time.perf_counter()
    for first in range(0, len(rows), CHUNK):
        np.array(rows[first : first + CHUNK])
        told(min(first + CHUNK, len(rows)))
    return time.perf_counter() - start


def _drop(path: pathlib.Path) -> None:
    """Has the system forget what it holds of a file, where it can."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _known(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The first rows of each class, as far as they stand near the start of the file."""
    return np.concatenate([np.flatnonzero(labels[:CHUNK] == k)[:LABELLED] for k in range(num_classes)])


def _head(rows: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[laplace.Posterior, np.ndarray]:
    mask = jnp.ones(len(rows), bool)
    mean, _ = map_head.fit(jnp.asarray(rows), jnp.asarray(labels), mask, num_classes, RIDGE)
    return laplace.fit(mean, jnp.asarray(rows), mask, RIDGE), np.bincount(labels, minlength=num_classes)
