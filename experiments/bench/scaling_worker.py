"""One process of `experiments.scaling`: a cycle on all devices of all processes; prints JSON."""

import json
import sys
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from alfamous_jax import cycle, laplace
from experiments.bench import hlo
from experiments.engines import distributed

AXIS = "pool"
REPEATS = 5


def main() -> None:
    """Prints seconds and bytes of a label, and the picks."""
    settings, launcher = json.loads(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    distributed.start(launcher, "pool")
    mesh = jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))
    whole, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))
    size, dim, classes = settings["rows"], settings["features"], settings["classes"]

    def block(number):
        rng = np.random.default_rng(number)
        phi = np.cos(rng.normal(scale=2.0, size=(size, dim)).astype(np.float32)) * np.float32(np.sqrt(2 / dim))
        return phi, rng.integers(0, classes, size).astype(np.int32)

    def rows(field, *shape):
        def share(index):
            start, stop, _ = index[0].indices(size * settings["blocks"])
            return np.concatenate([block(number)[field] for number in range(start // size, -(-stop // size))])

        return jax.make_array_from_callback((size * settings["blocks"], *shape), split, share)

    phi, labels = rows(0, dim), rows(1)
    mean = np.random.default_rng(1).normal(size=(classes, dim)).astype(np.float32)
    known = jnp.asarray(block(0)[0][:64])
    posterior = jax.jit(laplace.fit)(jnp.asarray(mean), known, jnp.ones(len(known), bool))
    posterior = jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, whole, np.asarray(x).__getitem__), posterior
    )

    alone = jax.device_count() == 1
    specs: list[Any] = [sharding.spec for sharding in (whole, split, split, split, whole)]
    pool = cycle.PoolState(*specs)
    run = partial(cycle.acquire, lam=0.1, budget=settings["budget"], axis_name=None if alone else AXIS)

    def score(posterior, phi):
        available = jnp.ones(len(phi), bool)
        return cycle.init(posterior, phi, available, jnp.ones(classes, jnp.int32))

    def acquire(state, phi, labels):
        return run(jax.random.key(0), state, phi, labels)

    def compiled(function, in_specs, out_specs, *arrays):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
        return jax.jit(function if alone else mapped).lower(*arrays).compile()

    start = compiled(score, (whole.spec, split.spec), pool, posterior, phi)(posterior, phi)
    program = compiled(acquire, (pool, split.spec, split.spec), (pool, whole.spec), start, phi, labels)
    times = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        _, info = jax.block_until_ready(program(start, phi, labels))
        times.append((time.perf_counter() - begin) / settings["budget"])
    sent = hlo.in_loops(program.as_text())
    answer = {"label_s": float(np.median(times[1:])), "indices": np.asarray(info.indices).tolist()}
    answer |= {"bytes_a_label": sum(collective.bytes for collective in sent), "exchanges": len(sent)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
