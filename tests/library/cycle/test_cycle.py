"""The AL-FaMoUS cycle against a float64 reference, and against its own steps."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from pools import KEY, UTILITIES, K, N, assert_trees_close, problem

from alfamous_jax import cycle, laplace

pytestmark = pytest.mark.slow


# not 0.5: there 1 - max p + 2 lam p_short is the same for every row whose predicted class is the short one
@pytest.mark.parametrize("seed", range(3))
def test_the_demand_read_literally(seed):
    """Labels of the cycle do not count, which changes the picks."""
    with jax.enable_x64(True):
        p = problem(seed, np.float64)
        state, info = cycle.run(KEY, *p, lam=0.4, budget=12, count_cycle=False)
        posterior = jax.tree.map(np.asarray, p.posterior)
        indices, _ = cycle.query(state, KEY, lam=0.4, counted=p.counts)  # as the steps in turn have it
        state = jax.tree.map(np.asarray, state)
    picks, mean, cov, counts, lead = oracles.famous_cycle(*posterior, *p[1:], 0.4, 12, count_cycle=False)
    assert lead > 1e-8
    np.testing.assert_array_equal(info.indices, picks)
    np.testing.assert_array_equal(state.counts, counts)
    assert_trees_close(state.posterior, (mean, cov), atol=1e-12)
    assert picks.tolist() != oracles.famous_cycle(*posterior, *p[1:], 0.4, 12)[0].tolist()
    probs = oracles.mean_field(*oracles.predict(mean, cov, p.phi))
    demand = np.maximum(counts.sum() / len(counts) - p.counts, 0)
    score = np.where(state.available, 1 - probs.max(1) - 0.4 * np.abs(demand - probs).sum(1), -np.inf)
    assert indices.tolist() == [score.argmax()]


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.4], ids=["fbu", "famous_0.1", "famous_0.4"])
@pytest.mark.parametrize("seed", range(3))
class TestReference:
    """Every quantity recomputed from explicit inverses at every pick."""

    def test_float64(self, seed, lam):
        with jax.enable_x64(True):
            p = problem(seed, np.float64)
            state, info = cycle.run(KEY, *p, lam=lam, budget=12)
            posterior = jax.tree.map(np.asarray, p.posterior)
        picks, mean, cov, counts, lead = oracles.famous_cycle(*posterior, *p[1:], lam, 12)
        assert lead > 1e-8
        np.testing.assert_array_equal(info.indices, picks)
        np.testing.assert_array_equal(info.labels, p.labels[picks])
        np.testing.assert_array_equal(state.counts, counts)
        np.testing.assert_array_equal(state.available, p.available & ~np.isin(np.arange(N), picks))
        assert_trees_close(state.posterior, (mean, cov), atol=1e-12)
        assert_trees_close((state.logits, state.variance), oracles.predict(mean, cov, p.phi), atol=1e-12)

    def test_float32(self, seed, lam):
        p = problem(seed)
        state, info = cycle.run(KEY, *p, lam=lam, budget=12)
        posterior = (np.asarray(x, float) for x in p.posterior)
        picks, mean, cov, _, lead = oracles.famous_cycle(*posterior, p.phi.astype(float), *p[2:], lam, 12)
        assert lead > 1e-5
        np.testing.assert_array_equal(info.indices, picks)
        assert_trees_close(state.posterior, (mean, cov), atol=1e-5)
        assert_trees_close((state.logits, state.variance), oracles.predict(mean, cov, p.phi), atol=3e-5)


def test_balance_and_update_both_change_the_picks():
    p = problem()
    runs = [(0.0, False), (0.4, False), (0.0, True), (0.4, True)]
    picks = [cycle.run(KEY, *p, lam=lam, budget=12, update=update)[1].indices for lam, update in runs]
    assert len({tuple(map(int, x)) for x in picks}) == 4


class TestSteps:
    """`run` is `init`, then `query` and `update` in turn."""

    @pytest.mark.parametrize(
        ("utility", "lam", "minibatch"),
        [*((name, lam, 1) for name in UTILITIES for lam in (0.0, 0.3)), ("least_confidence", 0.3, 4), ("bald", 0.3, 4)],
        ids=str,
    )
    def test_run_equals_the_loop(self, utility, lam, minibatch):
        p = problem(1)
        state = cycle.init(p.posterior, p.phi, p.available, p.counts)
        picks, utilities = [], []
        for _ in range(12 // minibatch):
            indices, info = cycle.query(state, KEY, utility=utility, lam=lam, num=minibatch)
            state = cycle.update(state, p.phi, indices, p.labels[indices])
            picks, utilities = [*picks, *indices.tolist()], [*utilities, *info.utility.tolist()]
            assert info.num_selected == minibatch and info.num_invalid == 0
        final, info = cycle.run(KEY, *p, utility=utility, lam=lam, budget=12, minibatch=minibatch)
        np.testing.assert_array_equal(info.indices, picks)
        np.testing.assert_allclose(info.utility, utilities, atol=1e-5)
        assert info.num_selected == 12 and info.num_invalid == 0
        assert_trees_close(final, state)

    def test_state_holds_what_its_posterior_predicts(self):
        p = problem(2)
        state, _ = cycle.run(KEY, *p, lam=0.3, budget=12, minibatch=4)
        assert_trees_close((state.logits, state.variance), laplace.predict(state.posterior, p.phi))

    def test_one_batch_without_update_is_the_top_of_the_utility(self):
        p = problem(3)
        state, info = cycle.run(KEY, *p, utility="entropy", budget=8, minibatch=8, update=False)
        probs = oracles.mean_field(*oracles.predict(*(np.asarray(x) for x in p.posterior), p.phi))
        utility = np.where(p.available, oracles.entropy(probs), -np.inf)
        np.testing.assert_array_equal(info.indices, np.argsort(-utility, kind="stable")[:8])
        assert_trees_close(state.posterior, p.posterior, atol=0)
        np.testing.assert_array_equal(state.counts, p.counts + np.bincount(p.labels[info.indices], minlength=K))

    def test_one_batch_with_balance_aims_at_the_counts_after_it(self):
        p = problem(4)
        _, info = cycle.run(KEY, *p, lam=0.4, budget=3, minibatch=3, update=False)
        probs = oracles.mean_field(*oracles.predict(*(np.asarray(x, float) for x in p.posterior), p.phi))
        rows = np.flatnonzero(p.available)
        demand = np.maximum((p.counts.sum() + 3) / K - p.counts, 0)
        expected, _ = oracles.best_subset(1 - probs[rows].max(1), probs[rows], demand, 0.4, 3)
        assert set(info.indices.tolist()) == set(rows[list(expected)].tolist())

    def test_a_function_is_a_utility(self):
        p = problem(5)
        _, named = cycle.run(KEY, *p, utility="least_confidence", lam=0.0, budget=12)
        _, given = cycle.run(
            KEY, *p, utility=lambda f, v, key: 1 - laplace.mean_field(f, v).max(-1), lam=0.0, budget=12
        )
        np.testing.assert_array_equal(named.indices, given.indices)

    def test_picks_share_the_draws_of_the_key(self):
        """Random utilities are drawn once: the picks are the top of one vector, one at a time or four."""
        p = problem(6)
        _, singly = cycle.run(KEY, *p, utility="random", lam=0.0, budget=12)
        _, by_four = cycle.run(KEY, *p, utility="random", lam=0.0, budget=12, minibatch=4)
        _, other = cycle.run(jax.random.key(1), *p, utility="random", lam=0.0, budget=12)
        np.testing.assert_array_equal(singly.indices, by_four.indices)
        assert (np.diff(singly.utility) < 0).all()
        assert (singly.indices != other.indices).any()


class TestUpdate:
    """Labels coming in, with padding and skipped rows."""

    p = problem(7)
    state = cycle.init(p.posterior, p.phi, p.available, p.counts)
    rows = np.flatnonzero(p.available)[:3]

    def update(self, indices, labels):
        return cycle.update(self.state, self.p.phi, jnp.asarray(indices), jnp.asarray(labels))

    def test_padding_changes_nothing(self):
        a, b, _ = self.rows
        assert_trees_close(self.update([a, -1, b, -1], [0, 2, 1, -1]), self.update([a, b], [0, 1]), atol=1e-6)
        assert_trees_close(self.update([-1, -1], [0, -1]), self.state, atol=0)

    def test_a_skipped_row_leaves_the_pool_and_teaches_nothing(self):
        a, b, _ = self.rows
        skipped = self.update([a, b], [-1, 1])
        assert not skipped.available[a] and not skipped.available[b]
        only_b = self.update([b], [1])
        assert_trees_close(skipped.posterior, only_b.posterior, atol=1e-6)
        assert_trees_close(skipped._replace(available=only_b.available), only_b, atol=1e-6)
        np.testing.assert_array_equal(skipped.counts, self.p.counts + [0, 1, 0])

    def test_skipping_in_a_run(self):
        unknown = np.where(np.arange(N) % 3 == 0, -1, self.p.labels)
        state, info = cycle.run(KEY, *self.p._replace(labels=unknown), lam=0.3, budget=12)
        labels = np.asarray(info.labels)
        assert (labels == -1).sum() not in (0, 12)
        np.testing.assert_array_equal(labels, unknown[info.indices])
        assert info.num_selected == 12 and len(set(info.indices.tolist())) == 12
        seen = labels >= 0
        np.testing.assert_array_equal(state.counts, self.p.counts + np.bincount(labels[seen], minlength=K))
        mean, cov = (np.asarray(x, float) for x in self.p.posterior)
        for index, label in zip(np.asarray(info.indices)[seen], labels[seen], strict=True):
            mean, cov = oracles.fast_update(mean, cov, self.p.phi[index].astype(float), label)
        assert_trees_close(state.posterior, (mean, cov))

    def test_a_label_never_increases_a_variance(self):
        before = np.asarray(self.state.variance)
        for label in range(K):
            after = np.asarray(self.update([self.rows[0]], [label]).variance)
            assert (after <= before).all() and after[self.rows[0]] < before[self.rows[0]]
