"""A last layer without a network, and that of a network fitted anew: what the driver makes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import lanes, tiny

from alfamous_jax import laplace, map_head
from alfamous_jax.core import compiling
from alfamous_jax.networks.mapped import Mapped
from experiments.learning import active, loop, problem, schemes
from experiments.learning.programs import Labelled, build_programs
from experiments.learning.programs._setup import setup_of
from experiments.learning.programs.look import look
from experiments.plan import work
from experiments.plan.strategies import parse

pytestmark = pytest.mark.slow

NO_NETWORK = {"backbone": "identity", "head": "map", "maps": ("common", "clipped-rbf"), "ridges": (1.0, 0.1, 0.01)}
NUM = 200


def fitted(**changes):
    """The scheme of a config on the first rows of a pool, and its view of the pool."""
    config = FrozenConfigDict(tiny(ridge="auto", **changes))
    task = problem.build_problem(config, [0])
    start = jax.tree.map(lambda leaf: leaf[0], task.variables["network"])
    rows, available = task.pool[0], task.available[0]
    indices = jnp.arange(NUM + 30)
    scheme = schemes.build(config, "network")
    variables, learned = jax.jit(scheme.fit)(jax.random.key(0), start, task.data, rows[indices], jnp.int32(NUM))
    known = Labelled(task.data, rows, indices, jnp.int32(NUM))
    setup = setup_of(config, parse("us-fbu").program("network"))
    view = jax.jit(lambda *args: look(setup, *args)[2])(
        jax.random.key(0), variables, known, available, jnp.zeros(26, int)
    )
    return scheme, variables, learned, view, task.data.labels[rows[:NUM]]


def test_without_a_network_mean_and_covariance_are_those_of_the_map_that_was_chosen():
    scheme, variables, learned, view, labels = fitted(**NO_NETWORK)
    assert isinstance(scheme.model, Mapped) and learned.converged and learned.place in (0, 1)
    everything = jnp.ones(NUM, bool)
    mean, info = map_head.fit(view.phi[:NUM], labels, everything, 26, float(learned.ridge))
    np.testing.assert_allclose(learned.loss, info.objective, rtol=2e-4)
    np.testing.assert_allclose(view.posterior.mean, mean, atol=0.03 * float(jnp.abs(mean).max()))
    wanted = laplace.fit(view.posterior.mean, view.phi[:NUM], everything, float(learned.ridge))
    np.testing.assert_allclose(view.posterior.cov, wanted.cov, rtol=1e-3, atol=1e-3 / float(learned.ridge))


@pytest.mark.parametrize("head", ["linear", "sngp"])
def test_a_refit_is_the_minimum_on_the_features_of_the_network(head):
    _, variables, learned, view, labels = fitted(refit=True, head=head, epochs=3)
    assert learned.converged and learned.place == -1
    phi, mean = view.phi[:NUM], view.posterior.mean
    size = jnp.sqrt(jnp.mean(jnp.sum(phi**2, axis=1)))
    ridge = float(learned.ridge * size**2)
    assert variables["posterior"]["ridge"] == pytest.approx(ridge, rel=1e-5)
    best, info = map_head.fit(phi / size, labels, jnp.ones(NUM, bool), 26, float(learned.ridge))
    np.testing.assert_allclose(mean * size, best, atol=0.03 * float(jnp.abs(best).max()))
    wanted = laplace.fit(mean, phi, jnp.ones(NUM, bool), ridge)
    np.testing.assert_allclose(view.posterior.cov, wanted.cov, rtol=1e-3, atol=1e-3 / ridge)


def test_records_say_what_was_chosen(tmp_path):
    config, records = FrozenConfigDict(tiny(ridge="auto", **NO_NETWORK)), []
    loop.run_lanes(config, work.ACTIVE, lanes("margin-alfamous"), tmp_path, lambda new, _: records.extend(new))
    assert {record["map"] for record in records} <= set(config.maps) and len(records) == 3
    assert all(min(abs(record["ridge"] - ridge) for ridge in config.ridges) < 1e-6 for record in records)
    assert all(0 < record["train_accuracy"] <= 1 and "converged" not in record for record in records)


def test_a_fit_that_did_not_converge_is_in_the_record():
    config = FrozenConfigDict(tiny(**NO_NETWORK))
    learned = schemes.Learned(np.float32(1), np.bool_(False), np.float32(np.nan), np.int32(-1))
    assert active._of_fit(config, learned) == {"converged": False}
    learned = learned._replace(converged=np.bool_(True), ridge=np.float32(0.1), place=np.int32(1))
    assert active._of_fit(config, learned) == {"ridge": 0.1, "map": "clipped-rbf"}


@pytest.mark.parametrize(
    ("changes", "strategy", "quick"),
    [(NO_NETWORK, "us", True), (NO_NETWORK, "bald-alfamous", False), ({"ridge": 1.0}, "us", False)],
)
def test_what_runs_for_long_is_compiled_for_speed(changes, strategy, quick):
    """Networks are trained, and the integrals of BALD taken, for longer than they compile."""
    programs = build_programs(FrozenConfigDict(tiny(**changes)), parse(strategy).program("network"), 1)
    assert (type(programs.query) is not type(jax.jit(abs))) == (quick and bool(compiling.OPTIONS))
