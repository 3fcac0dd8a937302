"""Selects batches from a pool whose rows are split over all devices and from the same pool on one; prints JSON."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from alfamous_jax.selection import balance_lp
from experiments.bench.hlo import collectives
from experiments.bench.others.instances import generate

LAM = 0.5
POOLS = [(16384, 10, 100), (2400, 10, 1500)]


def problem(family, rows, classes, budget):
    """A pool with seven rows that are not available and one that is NaN; in family B the first device has no row."""
    instance = generate(family, rows, classes, budget)
    first = rows // 8
    out = first + np.random.default_rng(0).choice(rows - first, 8, replace=False)
    instance.utility[out[7]] = np.nan
    available = ~np.isin(np.arange(rows), out[:7])
    available[: first if family == "B" else 0] = False
    return instance, available


def main():
    """One record for every pool."""
    mesh = jax.make_mesh((len(jax.devices()),), ("pool",))
    split, whole = PartitionSpec("pool"), PartitionSpec()
    specs = (split, split, whole, whole, split)
    records = []
    for shape in POOLS:
        select = partial(balance_lp.select_batch, budget=shape[-1])
        mapped = partial(select, axis_name="pool")
        program = jax.jit(jax.shard_map(mapped, mesh=mesh, in_specs=specs, out_specs=whole, check_vma=False))
        for family in "AB":
            instance, available = problem(family, *shape)
            arrays = *map(jnp.asarray, instance), jnp.float32(LAM), jnp.asarray(available)
            placed = [jax.device_put(x, NamedSharding(mesh, spec)) for x, spec in zip(arrays, specs, strict=True)]
            if family == "A":
                compiled = program.lower(*placed).compile()
            record = {"family": family, "shape": shape, "collectives": list(collectives(compiled.as_text()))}
            for name, selection in (("sharded", compiled(*placed)), ("alone", select(*arrays))):
                record[name] = {field: np.asarray(x).tolist() for field, x in selection._asdict().items()}
            records.append(record)
    print(json.dumps(records))


if __name__ == "__main__":
    main()
