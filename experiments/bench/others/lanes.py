"""One way of training several seeds, timed in a process of its own; `experiments.bench lanes` compares the ways."""

import os
import sys
import time


def main() -> None:
    """Prints the seconds that one of the ways takes."""
    way, lanes, workers, index = sys.argv[1], *map(int, sys.argv[2:])
    if way == "processes":
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, cores[index::workers] or cores[:1])
        lanes = len(range(index, lanes, workers))
    elif way == "devices":
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={workers}"
    print(_measure(way, lanes))


def _measure(way, lanes):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from alfamous_jax.networks import train
    from alfamous_jax.networks.mlp import ResidualMLP
    from alfamous_jax.networks.sngp import SNGP

    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(2000, 16)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 26, 2000), jnp.int32)
    model = SNGP(ResidualMLP(), num_classes=26, kernel_scale=8.0)
    optimizer = train.direction("sgd", weight_decay=1e-3)
    schedule = optax.cosine_decay_schedule(0.05, 50)
    start = model.init(jax.random.key(0), inputs[:1])

    def fit(key, indices, start, inputs, labels, count):
        settings = {"model": model, "optimizer": optimizer, "schedule": schedule, "epochs": 50, "batch_size": 16}
        return train.fit(key, start, inputs, labels, indices, count, **settings)[0]["params"]

    keys = jax.random.split(jax.random.key(1), lanes)
    indices = jnp.asarray(np.stack([rng.permutation(2000)[:352] for _ in range(lanes)]))
    shared = (start, inputs, labels, jnp.int32(352))
    if way == "vmap":
        mapped = jax.jit(jax.vmap(fit, in_axes=(0, 0, None, None, None, None)))
        return _best_of(lambda: mapped(keys, indices, *shared), jax)
    devices = jax.devices() if way == "devices" else jax.devices()[:1]
    jitted = jax.jit(fit)
    work = [jax.device_put((keys[i], indices[i], *shared), devices[i % len(devices)]) for i in range(lanes)]
    return _best_of(lambda: [jitted(*args) for args in work], jax)


def _best_of(call, jax):
    jax.block_until_ready(call())
    times = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
