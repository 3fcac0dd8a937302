"""Cycles, other selectors and files on pools split over up to 8 devices and on the same pools on one; prints JSON."""

import json
import tempfile
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from pools import Problem

from alfamous_jax import cycle, laplace
from alfamous_jax.datasets import split_rows
from alfamous_jax.selection import _space, boundary, coverage, diversity, falcun
from experiments.bench.hlo import collectives

N, K, D, BUDGET = 64, 3, 5, 8
KEY = jax.random.key(3)
SPLIT, WHOLE = PartitionSpec("pool"), PartitionSpec()
POOL = (WHOLE, SPLIT, SPLIT, SPLIT, WHOLE)  # posterior, phi, labels, available, counts
BALANCED = (SPLIT, WHOLE, WHOLE, SPLIT, SPLIT, SPLIT)  # probs, demand, lam, features, labelled, available
STATE = cycle.PoolState(WHOLE, SPLIT, SPLIT, SPLIT, WHOLE)


def problems():
    """A pool with two NaN rows and a device of 8 without rows; one of three rows; one of pairs of equal rows."""
    rng = np.random.default_rng(0)
    labels = rng.choice(K, N, p=[0.6, 0.3, 0.1])
    phi = (rng.normal(size=(K, D))[labels] + rng.normal(size=(N, D))).astype(np.float32)
    mean = rng.normal(size=(K, D)).astype(np.float32)
    posterior = laplace.fit(jnp.asarray(mean), jnp.asarray(phi[:12]), jnp.ones(12, bool))
    rows, counts = np.arange(N), np.array([7, 4, 1])
    spoilt = np.where(np.isin(rows, [3, 45])[:, None], np.float32(np.nan), phi)
    yield "mixed", Problem(posterior, spoilt, labels, (rng.random(N) < 0.7) & (rows // 8 != 2) | (rows == 3), counts)
    yield "few", Problem(posterior, spoilt, labels, np.isin(rows, [9, 45, 57, 62]), counts)
    twins = rows % (N // 2)
    yield "twins", Problem(posterior, phi[twins], labels[twins], np.ones(N, bool), counts)


def split(function, devices, in_specs, out_specs):
    """The function with an axis name, compiled for the first so many devices, and what places its arguments there."""
    mesh = jax.make_mesh((devices,), ("pool",), devices=jax.devices()[:devices])
    shardings = jax.tree.map(partial(NamedSharding, mesh), in_specs)
    function = partial(function, axis_name="pool")
    program = jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
    return jax.jit(program), partial(jax.device_put, device=shardings)


def plain(tree):
    """Leaves as lists; what is on every device must be the same there."""
    leaves = []
    for leaf in jax.tree.leaves(tree):
        if leaf.sharding.is_fully_replicated:
            for shard in leaf.addressable_shards:
                np.testing.assert_array_equal(shard.data, leaf)
        leaves.append(np.asarray(leaf).tolist())
    return leaves


def compare(name, function, meshes, in_specs, out_specs, cases):
    """A record for every case; each program is compiled once."""
    alone = jax.jit(function)
    programs = {devices: split(function, devices, in_specs, out_specs) for devices in meshes}
    for case, arguments in cases.items():
        results = {devices: plain(program(*place(arguments))) for devices, (program, place) in programs.items()}
        yield {"name": name, "case": case, "alone": plain(alone(*arguments)), "split": results}


def sent(function, in_specs, out_specs, arguments):
    """The collectives of a program on all devices."""
    program, place = split(function, len(jax.devices()), in_specs, out_specs)
    return list(collectives(program.lower(*place(arguments)).compile().as_text()))


def cycles(pools):
    """Whole cycles, their minibatch form, and their steps taken one by one."""
    cases = {f"{name} {lam}": (KEY, *pool, np.float32(lam)) for name, pool in pools.items() for lam in (0.0, 0.3)}
    specs = WHOLE, *POOL, WHOLE

    def run(*arguments, **settings):
        return cycle.run(*arguments[:-1], lam=arguments[-1], budget=BUDGET, **settings)

    for utility in ("least_confidence", "margin", "bald", "random"):
        for update in (True, False):
            meshes = (1, 2, 4, 8) if (utility, update) == ("least_confidence", True) else (8,)
            function = partial(run, utility=utility, update=update)
            yield from compare(f"{utility} {update}", function, meshes, specs, (STATE, WHOLE), cases)
    yield from compare("minibatch", partial(run, minibatch=BUDGET // 2), (8,), specs, (STATE, WHOLE), cases)

    def steps(key, posterior, phi, labels, available, counts, lam, axis_name=None):
        state = cycle.init(posterior, phi, available, counts)
        indices, info = cycle.query(state, key, lam=lam, axis_name=axis_name)
        state = cycle.update(state, phi, indices, jnp.where(indices >= 0, 1, -1), axis_name)
        return state, (indices, info, cycle.query(state, key, lam=lam, axis_name=axis_name))

    yield from compare("steps", steps, (8,), specs, (STATE, WHOLE), cases)


def batches(pools):
    """Batches that cover the features, and the posterior of labelled rows that are split."""
    probs = np.random.default_rng(1).dirichlet(np.ones(K), N).astype(np.float32)
    rows, demand = np.arange(N), np.array([0.5, 2.0, 5.0], np.float32)
    probs[N // 2 :] = probs[: N // 2]
    cases = {}
    for name, pool in pools.items():
        for labelled in (np.zeros(N, bool), np.isin(rows, [1, 2, 5, 6, 7, 40])):
            cases[f"{name} {labelled.sum()}"] = pool.phi, labelled, pool.available & ~labelled
    yield from compare(
        "k_center", partial(diversity.k_center, budget=BUDGET), (8,), (SPLIT, SPLIT, SPLIT), WHOLE, cases
    )
    balanced = partial(diversity.k_center_balanced, budget=BUDGET)
    cases = {name: (probs, demand, np.float32(0.5), *arrays) for name, arrays in cases.items()}
    yield from compare("k_center_balanced", balanced, (2, 8), BALANCED, WHOLE, cases)
    badge, specs = partial(diversity.badge, budget=BUDGET), (WHOLE, SPLIT, SPLIT, SPLIT)
    cases = {name: (KEY, probs, pool.phi, pool.available) for name, pool in pools.items()}
    yield from compare("badge", badge, (2, 8), specs, WHOLE, cases)
    mean = pools["twins"].posterior.mean
    cases = {name: (mean, pools["twins"].phi, pool.available) for name, pool in pools.items()}
    yield from compare("fit", laplace.fit, (8,), (WHOLE, SPLIT, SPLIT), WHOLE, cases)
    yield from covers(pools)
    yield from compare("root", laplace.root, (8,), (WHOLE, SPLIT, SPLIT), WHOLE, cases)


def covers(pools):
    """MaxHerding and UHerding; some rows weigh nothing, and a batch is larger than a block of rows."""
    rng = np.random.default_rng(4)
    probs, rows, demand = rng.dirichlet(np.ones(K), N).astype(np.float32), np.arange(N), np.array([0.5, 2.0, 5.0])
    probs[N // 2 :] = probs[: N // 2]
    cases = {}
    for name, pool in pools.items():
        for labelled in (np.zeros(N, bool), np.isin(rows, [1, 2, 5, 6, 7, 40])):
            cases[f"{name} {labelled.sum()}"] = probs, pool.phi, labelled, pool.available & ~labelled

    def herd(probs, features, labelled, available, axis_name=None, doubtful=False):
        weights = coverage.class_weights(probs, demand, 0.5, available | labelled, axis_name)
        radius = 1.0
        if doubtful:
            weights *= coverage.doubt(probs, labelled, axis_name)
            radius = coverage.least_distance(features, labelled, axis_name)
        how = {"budget": BUDGET, "radius": radius, "axis_name": axis_name}
        return coverage.select(weights, features, labelled, available, **how)

    specs = SPLIT, SPLIT, SPLIT, SPLIT
    yield from compare("maxherding", herd, (2, 8), specs, WHOLE, cases)
    yield from compare("uherding", partial(herd, doubtful=True), (2, 8), specs, WHOLE, cases)


def boundaries(pools):
    """FALCUN, BASE, GALAXY and DIRECT, under labels that some rows have."""
    rng = np.random.default_rng(2)
    rows, probs = np.arange(N), rng.dirichlet(np.ones(K), N).astype(np.float32)
    probs[N // 2 :] = probs[: N // 2]
    cases, known = {}, {}
    for name, pool in pools.items():
        spoilt = np.where(np.isnan(pool.phi).any(axis=1, keepdims=True), np.float32(np.nan), probs)
        labelled = np.isin(rows, [1, 5, 22, 40, 62]) & ~np.isnan(spoilt).any(axis=1)
        cases[name] = KEY, spoilt, pool.available
        known[name] = KEY, spoilt, pool.labels, labelled, pool.available & ~labelled
    ranked = WHOLE, SPLIT, SPLIT, SPLIT, SPLIT
    yield from compare("falcun", partial(falcun.select, budget=BUDGET), (2, 8), (WHOLE, SPLIT, SPLIT), WHOLE, cases)
    yield from compare("galaxy", partial(boundary.galaxy, budget=BUDGET), (8,), ranked, WHOLE, known)
    direct = partial(boundary.direct, budget=BUDGET, round_size=2, least=2)
    yield from compare("direct", direct, (8,), ranked, WHOLE, known)
    weights = rng.normal(size=(K, D)).astype(np.float32)
    cases = {name: (pool.phi @ weights.T, weights, pool.counts, pool.available) for name, pool in pools.items()}
    yield from compare("base", partial(boundary.base, budget=BUDGET), (8,), (SPLIT, WHOLE, WHOLE, SPLIT), WHOLE, cases)


def traffic(pool):
    """Collectives of a cycle on the pool and on one eight times as long, of k-center and of BADGE."""
    longer = Problem(pool.posterior, *(np.concatenate([x] * 8) for x in pool[1:4]), pool.counts)
    run = partial(cycle.run, lam=0.3, budget=BUDGET)
    for name, arrays in (("cycle", pool), ("longer cycle", longer)):
        yield name, sent(run, (WHOLE, *POOL), (STATE, WHOLE), (KEY, *arrays))
    probs, none = np.full((N, K), 1 / K, np.float32), np.zeros(N, bool)
    arguments = probs, np.ones(K, np.float32), np.float32(0.5), pool.phi, none, ~none
    function = partial(diversity.k_center_balanced, budget=BUDGET)
    yield "k_center_balanced", sent(function, BALANCED, WHOLE, arguments)
    arguments = KEY, probs, pool.phi, ~none
    yield "badge", sent(partial(diversity.badge, budget=BUDGET), (WHOLE, SPLIT, SPLIT, SPLIT), WHOLE, arguments)


def mapped(num_rows):
    """What every device holds of a file, and which rows of it are real."""
    mesh = jax.make_mesh((8,), ("pool",))
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/rows.npy", np.arange(num_rows * 2.0).reshape(-1, 2))
        rows, real = split_rows(f"{folder}/rows.npy", mesh, "pool")
    shards = sorted(rows.addressable_shards, key=lambda shard: shard.index[0].start)
    return [shard.data.tolist() for shard in shards], real.tolist(), rows.sharding.spec == real.sharding.spec == SPLIT


def main():
    """All records."""
    _space.BLOCK = 2  # so that one device has several blocks of labelled rows, and others none
    pools = dict(problems())
    records = [*cycles(pools), *batches(pools), *boundaries(pools)]
    files = {num_rows: mapped(num_rows) for num_rows in (16, 19)}
    print(json.dumps({"records": records, "traffic": dict(traffic(pools["twins"])), "files": files}))


if __name__ == "__main__":
    main()
