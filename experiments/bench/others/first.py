"""`experiments.bench first`: what a first answer costs, of each function and of whole commands from the shell."""

import argparse
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import choose_head, cycle, feature_maps, laplace, map_head, random_features
from alfamous_jax.selection import balance, balance_lp, diversity
from experiments.bench import children, jobs

RIDGES = (1.0, 0.1, 0.01)
COMPILED = "/jax/core/compile/backend_compile_duration"  # as JAX calls it
SESSION = """
import sys
import numpy as np
from alfamous_jax import compile_cache
from alfamous_jax.session import Session
compile_cache.use()
rows = np.load(sys.argv[1])["x"]
labels = {row: int(label) for row, label in enumerate(np.load(sys.argv[1])["y"][:20])}
Session(rows, 3, labels=labels).ask()
"""


def measure(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of the functions' stages in this process, and of commands in processes of their own.

    Args:
      args: rows N, features D, classes K, budget b; commands take a pool of 300 rows of their own.

    Returns:
      of a function: trace, compilation, first call. Of a command: from the shell to its end with nothing kept from
      before, and with the compiled programs of a run before.
    """
    functions = {name: _stages(function, arrays) for name, (function, arrays) in _functions(args).items()}
    with tempfile.TemporaryDirectory() as folder:
        return functions | {name: _twice(name, line, folder) for name, line in _commands(pathlib.Path(folder)).items()}


def _functions(args: argparse.Namespace) -> dict[str, tuple[Callable, tuple]]:
    posterior, phi, labels, available, counts = jobs.pool(args)
    key, num_labelled, classes = jax.random.key(0), int(jnp.sum(~available)), args.classes
    state = cycle.init(posterior, phi, available, counts)
    probs = laplace.mean_field(*laplace.predict(posterior, phi))
    demand = balance.class_demand(counts, args.budget + jnp.sum(counts))
    ranks = 1.0 - jnp.max(probs, axis=1), probs, demand, jnp.float32(0.5)
    first, mask = (phi[:num_labelled], labels[:num_labelled]), jnp.ones(num_labelled, bool)
    maps = [feature_maps.parse(name) for name in ("common", "common-rbf")]
    draws = random_features.init(key, args.features, args.features + 1)
    known = feature_maps.moments(phi, key)
    mapped = [feature_maps.apply(one, known, draws, first[0]) for one in maps]
    run = partial(cycle.run, budget=args.budget, lam=0.1)
    return {
        "laplace.fit": (jax.jit(laplace.fit), (posterior.mean, first[0], mask)),
        "cycle.init": (cycle.init, (posterior, phi, available, counts)),
        "cycle.query": (partial(cycle.query, lam=0.1), (state, key)),
        "cycle.run": (run, (key, posterior, phi, labels, available, counts)),
        "cycle.run, bald": (partial(run, utility="bald"), (key, posterior, phi, labels, available, counts)),
        "select_batch": (partial(balance_lp.select_batch, budget=args.budget), (*ranks, available)),
        "select_greedy": (partial(balance.select_greedy, budget=args.budget), (*ranks, available)),
        "k_center": (partial(diversity.k_center, budget=args.budget), (phi, ~available, available)),
        "badge": (partial(diversity.badge, budget=args.budget), (key, probs, phi, available)),
        "map_head.fit": (partial(map_head.fit, num_classes=classes, ridge=0.1), (*first, mask)),
        "choose_head, 2 maps": (
            partial(choose_head.choose, num_classes=classes, ridges=jnp.array(RIDGES)),
            (key, mapped, first[1], mask),
        ),
    }


def _stages(function: Callable, arrays: tuple) -> dict[str, float]:
    """Of a first call, as a user makes it, and of a second; what is neither compiled nor run is traced and lowered."""
    jax.clear_caches()
    compiled: list[float] = []

    def heard(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED:
            compiled.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(heard)
    try:
        first, second = (_call(function, arrays) for _ in range(2))
    finally:
        jax.monitoring.unregister_event_duration_listener(heard)
    return {"trace_s": first - second - sum(compiled), "compile_s": sum(compiled), "call_s": second}


def _call(function: Callable, arrays: tuple) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*arrays))
    return time.perf_counter() - start


def _commands(folder: pathlib.Path) -> dict[str, list[str]]:
    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    rows = (rng.normal(size=(300, 16)) + 3 * np.eye(3, 16)[labels]).astype(np.float32)
    np.savez(folder / "pool.npz", x=rows, y=labels)
    python, pool = sys.executable, str(folder / "pool.npz")
    own = ["-m", "experiments.run", "--config=configs/own.py:smoke", f"--config.dataset={pool}", "--config.workers=1"]
    return {
        "import alfamous_jax": [python, "-c", "import alfamous_jax"],
        "a session's first question": [python, "-c", SESSION, pool],
        "configs/own.py:smoke": [python, *own, "--overwrite", f"--workdir={folder / 'own'}"],
    }


def _twice(name: str, line: list[str], folder: str) -> dict[str, float]:
    """A command with an empty cache of compiled programs, and with the one that it filled."""
    environment = os.environ | {"ALFAMOUS_COMPILE_CACHE": f"{folder}/compiled for {name.replace('/', ' ')}"}
    return {f"{when}_s": _seconds(name, line, environment) for when in ("cold", "warm")}


def _seconds(name: str, line: list[str], environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    children.outputs([line], name, environment)
    return time.perf_counter() - start
