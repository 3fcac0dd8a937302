"""A cycle in a fresh process, traced there or from an artefact: seconds up to the first answer, by phase.

    python -m experiments.bench_export live|artefact FOLDER

FOLDER holds pool.npz and run.bin, which `measure` writes. The second way imports nothing but JAX and NumPy.
"""

import json
import pathlib
import sys
import tempfile
import time

WAYS = ("live", "artefact")


def measure(args, repeats: int = 3) -> dict[str, dict]:
    """Both ways in processes of their own, `repeats` times by turns; the fastest of each, by total.

    Args:
      args: rows N, features D, classes K, budget b.
      repeats: of each way.

    Returns:
      by way: seconds for the imports, the trace (or the reading), the compilation, the call, and for all of it.

    Raises:
      RuntimeError: the two ways do not pick the same rows.
    """
    import numpy as np

    from alfamous_jax import cycle, exported
    from experiments.bench import children
    from experiments.bench.jobs import pool

    posterior, phi, labels, available, counts = pool(args)
    state = cycle.init(posterior, phi, available, counts)
    artefact = exported.export_step("run", args.features, args.classes, num=args.budget)
    found: dict[str, list] = {}
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "run.bin").write_bytes(artefact)
        arrays = (*state.posterior, *state[1:], phi, labels)
        np.savez(pathlib.Path(folder) / "pool.npz", *map(np.asarray, arrays))
        for _ in range(repeats):
            for way in WAYS:
                command = [sys.executable, "-m", "experiments.bench.others.export", way, folder, str(args.budget)]
                start = time.perf_counter()
                (output,) = children.outputs([command], f"{way!r}")
                row = json.loads(output.splitlines()[-1]) | {"total_s": time.perf_counter() - start}
                found.setdefault(way, []).append(row)
    picks = {tuple(row.pop("picks")) for rows in found.values() for row in rows}
    if len(picks) != 1:
        raise RuntimeError("the artefact and the live functions pick different rows")
    return {way: min(rows, key=lambda row: row["total_s"]) for way, rows in found.items()}


def worker(way: str, folder: pathlib.Path, budget: int) -> dict:
    """One way, in this process."""
    times = [time.perf_counter()]
    import jax
    import numpy as np

    if way == "live":
        from alfamous_jax import cycle, laplace
    arrays = list(np.load(folder / "pool.npz").values())
    times.append(time.perf_counter())
    if way == "live":

        def run(*arrays):
            *state, phi, labels, lam = arrays
            state = cycle.PoolState(laplace.Posterior(*state[:2]), *state[2:])
            state, info = cycle.acquire(jax.random.key(0), state, phi, labels, lam=lam, budget=budget)
            return state, info.indices
    else:
        run = jax.export.deserialize(bytearray((folder / "run.bin").read_bytes())).call
    lowered = jax.jit(run).lower(*arrays, np.float32(0.1))
    times.append(time.perf_counter())
    compiled = lowered.compile()
    times.append(time.perf_counter())
    indices = np.asarray(compiled(*arrays, np.float32(0.1))[-1])
    times.append(time.perf_counter())
    names = ("import_s", "trace_s", "compile_s", "call_s")
    return dict(zip(names, np.diff(times).tolist(), strict=True)) | {"picks": indices.tolist()}


if __name__ == "__main__":
    print(json.dumps(worker(sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]))))
