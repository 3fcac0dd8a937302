"""What every strategy must do, whatever it is: a new entry of STRATEGIES is tried here without further ado."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import laplace
from alfamous_jax.autoencoders import stage_vae, vabal
from experiments.learning.selectors import METHODS, Picks, Settings, VabalSettings, View
from experiments.plan.strategies import STRATEGIES

N, K, D, H, S, B = 40, 3, 6, 4, 5, 6
KEY = jax.random.key(0)
DRAWS_ROWS = {
    "random",
    "badge",
    "cmcs-rand",
    "umcs-rand",
    "dmcs-rand",
}  # their noise belongs to a place in the pool, so that it does not move with a row
TRAINS = {"vaal", "vaal-cb", "vabal", "vabal-cb"}  # on rows drawn by their places
VABAL = VabalSettings(stage_vae.Training(epochs=2), vabal.Scoring(num_samples=3))
DRAWS = DRAWS_ROWS | TRAINS | {"batchbald"}
ONE_OF_EACH = {(setting.method, setting.minibatch): name for name, setting in STRATEGIES.items()}
strategies = pytest.mark.parametrize("name", STRATEGIES)


def view(seed=0, dtype=np.float32):
    """A pool with a rare class: 12 rows labelled, 25 available, 3 neither. Its inputs are phi."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(K, D))
    labels = rng.choice(K, N, p=[0.6, 0.3, 0.1])
    phi = 0.6 * centres[labels] + rng.normal(size=(N, D))
    order = rng.permutation(N)
    labelled, available = order < 12, order >= 15
    mean = 0.5 * centres + 0.3 * rng.normal(size=(K, D))
    posterior = laplace.Posterior(mean.astype(dtype), oracles.laplace_cov(mean, phi[labelled], 1.0).astype(dtype))
    counts = np.bincount(labels[labelled], minlength=K)
    features = (phi @ rng.normal(size=(D, H))).astype(dtype)
    samples = rng.dirichlet(np.ones(K), size=(S, N)).astype(dtype)
    inputs = phi.astype(dtype)
    rows = inputs, np.arange(N)
    return View(posterior, inputs, labels, available, labelled, counts, features, (features, inputs), samples, *rows)


def unbalanced(name):
    return STRATEGIES[name]._replace(balanced=False)


def by_linear_programming(setting):
    return setting.method in ("cycle", "mc_dropout", "vaal", "vabal") and setting.minibatch is None


def skip_slow_compilation(name):
    """Of the batches by linear programming one is tried: the others differ in their utility alone."""
    if by_linear_programming(STRATEGIES[name]) and name != "us-cb":
        pytest.skip("10 to 30 seconds of compiling; us-cb is tried")


def method(setting, budget=B):
    """(key, view, lam) -> picks of a strategy."""
    settings = Settings(
        setting.utility, setting.minibatch or budget, setting.update, budget, num_samples=S, vae_steps=3, vabal=VABAL
    )
    return lambda key, view, lam: METHODS[setting.method](key, view, lam, settings)


@cache
def program(setting):
    """Jitted; strategies that differ in `balanced` alone share it."""
    return jax.jit(method(setting))


@cache
def other_program(setting, transform=lambda function: function):
    """Compiled for a single call."""
    return jax.jit(transform(method(setting)))


def run(name, view, key=KEY, lam=0.3):
    picks = program(unbalanced(name))(key, view, lam if STRATEGIES[name].balanced else 0.0)
    return jax.tree.map(np.asarray, picks)


def check_picks(picks, view, num=B):
    """`num` different available rows, then padding."""
    assert picks.num_selected == num
    assert len(set(picks.indices[:num].tolist())) == num and view.available[picks.indices[:num]].all()
    np.testing.assert_array_equal(picks.indices[num:], -1)


def moved(view, order):
    """The pool in another order."""
    rows = {name: getattr(view, name)[order] for name in ("phi", "labels", "available", "labelled", "features", "rows")}
    stages = tuple(stage[order] for stage in view.stages)
    return view._replace(**rows, stages=stages, prob_samples=view.prob_samples[:, order])


def copied(view):
    """With arrays that a test may write to; the stages are phi and features."""
    names = "phi", "features", "inputs", "prob_samples"
    view = view._replace(**{name: getattr(view, name).copy() for name in names})
    return view._replace(stages=(view.features, view.phi))


def only(view, keep):
    """Fewer rows available."""
    return view._replace(available=view.available & keep)


@strategies
class TestPicks:
    """Who may be picked."""

    def test_different_available_rows(self, name):
        for seed in range(4):
            picks = run(name, view(seed))
            check_picks(picks, view(seed))
            assert picks.num_invalid == 0

    @pytest.mark.parametrize("left", [0, 1, 4])
    def test_fewer_rows_than_the_budget(self, name, left):
        v = view(1)
        v = only(v, np.isin(np.arange(N), np.flatnonzero(v.available)[:left]))
        check_picks(run(name, v), v, num=left)

    def test_only_available_rows_decide(self, name):
        """What a row that is neither available nor labelled holds changes nothing."""
        v = view(2)
        other = ~v.available & ~v.labelled
        spoilt = copied(v)
        spoilt.phi[other] += 1.0
        spoilt.inputs[other] += 1.0
        spoilt.features[other] += 1.0
        spoilt.prob_samples[:, other] = [1.0, 0.0, 0.0]
        np.testing.assert_array_equal(run(name, spoilt).indices, run(name, v).indices)

    def test_labels_not_asked_for_decide_nothing(self, name):
        """But for the strategies that are told a label before the next pick."""
        v = view(2)
        other = v._replace(labels=np.where(v.labelled, v.labels, (v.labels + 1) % K))
        same = (run(name, other).indices == run(name, v).indices).all()
        assert same or STRATEGIES[name].update or name == "cds-bal"

    @pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
    def test_rows_that_are_not_finite_are_reported_and_passed_over(self, name, bad):
        v = view(3)
        rows = np.flatnonzero(v.available)[[0, 7]]
        spoilt = copied(v)
        spoilt.phi[rows, 1] = spoilt.features[rows, 1] = spoilt.inputs[rows, 1] = bad
        spoilt.prob_samples[:, rows, 1] = bad
        picks = run(name, spoilt)
        clean = only(v, ~np.isin(np.arange(N), rows))
        check_picks(picks, clean)
        if name != "random":  # it looks at nothing
            assert picks.num_invalid == 2
            np.testing.assert_array_equal(picks.indices, run(name, clean).indices)


@strategies
class TestHardPools:
    """Pools at the edge of what a utility means."""

    def test_classes_without_labels(self, name):
        v = view(4)
        for counts in ([12, 0, 0], [0, 0, 0]):
            check_picks(run(name, v._replace(counts=np.array(counts))), v)

    def test_nothing_labelled(self, name):
        v = view(4)
        check_picks(run(name, v._replace(labelled=np.zeros(N, bool), counts=np.zeros(K, int))), v)

    def test_duplicate_rows(self, name):
        v = moved(view(5), np.repeat(np.arange(N // 4), 4))
        v = v._replace(available=~v.labelled)
        check_picks(run(name, v), v)

    def test_rows_that_are_all_the_same(self, name):
        v = view(6)
        same = moved(v, np.zeros(N, int))._replace(available=v.available, labelled=v.labelled)
        picks = run(name, same)
        check_picks(picks, same)
        if name not in DRAWS_ROWS:
            np.testing.assert_array_equal(picks.indices, np.flatnonzero(v.available)[:B])


@strategies
class TestRandomness:
    """Permutations and keys."""

    def test_permuting_the_pool_permutes_the_picks(self, name):
        v, order = view(7), np.random.default_rng(0).permutation(N)
        if name in TRAINS:
            pytest.skip("trains on other rows where they change places")
        if name in DRAWS_ROWS:
            shares = [_shares(name, v), _shares(name, moved(v, order))[np.argsort(order)]]
            assert np.abs(shares[0] - shares[1]).max() < 5 * np.sqrt(0.5 / 1000)
        else:
            np.testing.assert_array_equal(order[run(name, moved(v, order)).indices], run(name, v).indices)

    def test_a_key_settles_the_picks(self, name):
        v = view(8)
        picks = [run(name, v, jax.random.key(seed), lam=0.01).indices for seed in (0, 0, 1, 2, 3)]
        np.testing.assert_array_equal(picks[0], picks[1])
        differs = [(picks[0] != other).any() for other in picks[2:]]
        assert any(differs) if name in DRAWS else not any(differs)

    def test_keys_are_used_once(self, name):
        with jax.debug_key_reuse(True):
            jax.jit(method(STRATEGIES[name])).trace(jax.random.key(3), view(9), 0.3)


def _shares(name, v):
    """How often each row is picked, over 1,000 keys."""
    keys = jax.random.split(jax.random.key(11), 1000)
    picks = jax.vmap(lambda key: program(unbalanced(name))(key, v, 0.0).indices)(keys)
    return np.bincount(np.asarray(picks).ravel(), minlength=N) / 1000


@strategies
class TestTransformations:
    """jit, vmap, precision."""

    def test_one_compilation_for_all_pools(self, name):
        run(name, view(0))
        before = program(unbalanced(name))._cache_size()
        for seed in range(1, 4):
            run(name, view(seed), jax.random.key(seed), lam=0.1 * seed)
        assert program(unbalanced(name))._cache_size() == before

    def test_jit_equals_eager(self, name):
        """But for batches by linear programming, whose loops take minutes there."""
        setting = STRATEGIES[name]
        if by_linear_programming(setting):
            pytest.skip("balance_lp is compared with HiGHS in its own tests")
        if name != ONE_OF_EACH[setting.method, setting.minibatch]:
            pytest.skip("another strategy of the method is tried")
        lam, pick = 0.3 * setting.balanced, method(setting, budget=2)
        v = jax.tree.map(jnp.asarray, view(10))
        traced = jax.jit(pick)(KEY, v, lam)
        with jax.disable_jit():
            np.testing.assert_array_equal(traced.indices, pick(KEY, v, lam).indices)

    def test_vmap_equals_a_loop(self, name):
        skip_slow_compilation(name)
        views, keys = [view(seed) for seed in range(3)], jax.random.split(KEY, 3)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *views)
        lams = np.array([0.0, 0.2, 0.5], np.float32) * STRATEGIES[name].balanced
        together = other_program(unbalanced(name), jax.vmap)(keys, stacked, lams)
        for i, v in enumerate(views):
            alone = program(unbalanced(name))(keys[i], v, lams[i])
            jax.tree.map(lambda a, b, i=i: np.testing.assert_array_equal(a[i], b), together, Picks(*alone))

    def test_float64_picks_the_same(self, name):
        """The order in a batch by linear programming may differ; what is drawn differs between precisions."""
        if name in DRAWS:
            pytest.skip("draws other numbers in float64")
        skip_slow_compilation(name)
        single = run(name, view(12))
        with jax.enable_x64(True):
            double = other_program(unbalanced(name))(KEY, view(12, np.float64), 0.3 * STRATEGIES[name].balanced)
        assert set(double.indices.tolist()) == set(single.indices.tolist())
