"""Steps of the cycle compiled ahead of time: the picks of the live functions, in a process that has JAX alone."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from pools import D, K, N, problem

from alfamous_jax import cycle, exported

pytestmark = pytest.mark.slow

SERVE = """
import sys
sys.modules["alfamous_jax"] = None  # the artefacts are read without this package
import jax, numpy as np
from jax import export
data = np.load("data.npz")
def load(step):
    return jax.jit(export.deserialize(bytearray(open(f"{step}.bin", "rb").read())).call)

init, query, update = map(load, ("init", "query", "update"))
state = init(data["mean"], data["cov"], data["phi"], data["available"], data["counts"])
picks = []
for _ in range(4):
    index = query(*state, np.float32(0.3))
    picks.append(int(index[0]))
    state = update(*state, data["phi"], index, data["labels"][index])
np.savez("answer.npz", picks=picks, mean=state[0], variance=state[3])
"""


@pytest.fixture(scope="module")
def pool():
    found = problem()
    return found._replace(labels=found.labels.astype(np.int32), counts=found.counts.astype(np.int32))


def arguments(pool):
    return *pool.posterior, pool.phi, pool.available, pool.counts


def test_a_process_without_this_package_serves_the_same_picks(pool, tmp_path):
    for step in ("init", "query", "update"):
        (tmp_path / f"{step}.bin").write_bytes(exported.export_step(step, D, K))
    named = dict(zip(("mean", "cov", "phi", "available", "counts"), arguments(pool), strict=True))
    np.savez(tmp_path / "data.npz", labels=pool.labels, **named)
    subprocess.run([sys.executable, "-c", SERVE], cwd=tmp_path, check=True)
    answer = np.load(tmp_path / "answer.npz")
    state, info = cycle.run(jax.random.key(0), *pool, lam=0.3, budget=4)
    np.testing.assert_array_equal(answer["picks"], info.indices)
    np.testing.assert_allclose(answer["mean"], state.posterior.mean, atol=1e-5)
    np.testing.assert_allclose(answer["variance"], state.variance, atol=1e-5)


@pytest.mark.parametrize("update", [True, False])
def test_a_whole_cycle_on_pools_of_two_sizes(pool, update):
    artefact = exported.export_step("run", D, K, num=5, utility="bald", update=update)
    run = exported.load(artefact)
    for size in (N, N - 7):
        cut = pool._replace(phi=pool.phi[:size], labels=pool.labels[:size], available=pool.available[:size])
        state = cycle.init(cut.posterior, cut.phi, cut.available, cut.counts)
        *_, indices = run(*state.posterior, *state[1:], cut.phi, cut.labels, np.float32(0.3))
        _, info = cycle.run(jax.random.key(0), *cut, utility="bald", lam=0.3, budget=5, update=update)
        np.testing.assert_array_equal(indices, info.indices)


def test_an_implicit_update_as_live(pool):
    wide = pool._replace(posterior=pool.posterior._replace(cov=50 * pool.posterior.cov))
    state, rows = cycle.init(wide.posterior, wide.phi, wide.available, wide.counts), np.flatnonzero(wide.available)[:2]
    means = []
    for implicit in (True, False):
        learn = exported.load(exported.export_step("update", D, K, num=2, implicit=implicit, platforms=("cpu",)))
        served = learn(*state.posterior, *state[1:], wide.phi, rows.astype(np.int32), wide.labels[rows])
        live = cycle.update(state, wide.phi, rows, wide.labels[rows], implicit=implicit)
        np.testing.assert_allclose(served[0], live.posterior.mean, atol=1e-4)
        means.append(served[0])
    assert np.abs(means[0] - means[1]).max() > 0.1


def test_a_batch_from_a_pool_of_known_size(pool):
    query = exported.load(exported.export_step("query", D, K, num_rows=N, num=4, platforms=("cpu",)))
    state = cycle.init(pool.posterior, pool.phi, pool.available, pool.counts)
    indices, _ = cycle.query(state, jax.random.key(0), lam=0.3, num=4)
    np.testing.assert_array_equal(query(*state.posterior, *state[1:], np.float32(0.3)), indices)


def test_an_artefact_says_where_it_runs(pool):
    artefact = exported.export_step("update", D, K, platforms=("cpu", "cuda"))
    assert jax.export.deserialize(bytearray(artefact)).platforms == ("cpu", "cuda")


@pytest.mark.parametrize(
    ("step", "settings", "message"),
    [
        ("fit", {}, "step must be one of init, query, update, run, got 'fit'"),
        ("query", {"utility": "random"}, "utility must be one of least_confidence, .* got 'random'"),
        ("query", {"num": 3}, "a query of 3 rows needs num_rows"),
    ],
)
def test_refused(step, settings, message):
    with pytest.raises(ValueError, match=message):
        exported.export_step(step, D, K, **settings)
