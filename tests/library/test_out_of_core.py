"""A cycle on the rows of a file that can win: against the cycle on all rows, and every row left out by loops."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import cycle, laplace, out_of_core
from alfamous_jax.laplace import Posterior
from alfamous_jax.out_of_core import _missed, _sift

pytestmark = pytest.mark.fits

N, K, D, CHUNK, BUDGET = 700, 4, 6, 256, 8
COUNTS = np.array([5, 1, 0, 2])
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A file in half precision, of which a tenth of the rows cannot be asked for, with labels."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("pool") / "features.npy"
    np.save(path, rng.normal(size=(N, D)).astype(np.float16))
    factor = rng.normal(size=(D, D)) / 5
    posterior = Posterior(
        jnp.asarray(rng.normal(size=(K, D)), jnp.float32), jnp.asarray(factor @ factor.T, jnp.float32)
    )
    return posterior, np.load(path, mmap_mode="r"), rng.random(N) < 0.9, rng.integers(0, K, N)


def of_all(pool, utility, lam):
    """The picks of a cycle on the whole pool."""
    posterior, features, available, labels = pool
    phi = jnp.asarray(np.asarray(features, np.float32))
    _, info = cycle.run(KEY, posterior, phi, labels, available, COUNTS, utility=utility, lam=lam, budget=BUDGET)
    return np.asarray(info.indices)


def of_part(pool, rows, phi, utility, lam):
    """Those of a cycle on a sub-pool, as rows of the pool."""
    posterior, _, _, labels = pool
    open_to = jnp.ones(len(rows), bool)
    arrays = posterior, phi, labels[rows], open_to, COUNTS
    _, info = cycle.run(KEY, *arrays, utility=utility, lam=lam, budget=BUDGET)
    return rows[np.asarray(info.indices)]


def sift(pool, size, utility="margin", lam=0.4, **options):
    posterior, features, available, _ = pool
    weights = {"utility": utility, "lam": lam, "chunk": CHUNK}
    return out_of_core.sift(posterior, features, available, COUNTS, size=size, **weights | options)


def missed(pool, rows, picks, utility="margin", lam=0.4, **options):
    posterior, features, available, labels = pool
    weights = {"utility": utility, "lam": lam, "chunk": CHUNK}
    return out_of_core.missed(posterior, features, available, COUNTS, rows, picks, labels[picks], **weights | options)


@pytest.mark.parametrize("lam", [0.0, 0.4])
def test_a_cycle_on_the_rows_kept_is_that_of_all_rows_up_to_where_it_says(pool, lam, utility="margin"):
    expected = of_all(pool, utility, lam)
    for size in (20, 200, N):
        kept = sift(pool, size, utility, lam)
        assert len(kept.rows) == min(size, pool[2].sum())
        assert (np.diff(kept.rows) > 0).all() and pool[2][kept.rows].all()
        np.testing.assert_array_equal(kept.phi, np.asarray(pool[1][kept.rows], np.float32))
        picks = of_part(pool, kept.rows, kept.phi, utility, lam)
        found = missed(pool, kept.rows, picks, utility, lam)
        np.testing.assert_array_equal(picks[: found.first], expected[: found.first])
        assert (found.first == BUDGET) == (found.num_picks == 0) == (found.num_rows == 0)
        assert found.first == BUDGET or picks[found.first] != expected[found.first]
    np.testing.assert_array_equal(picks, expected)  # of all


def test_the_rows_kept_are_the_best_in_float64(pool):
    posterior, features, available, _ = pool
    phi, mean, cov = (np.asarray(x, float) for x in (features, *posterior))
    probs = oracles.mean_field(phi @ mean.T, np.einsum("nd,de,ne->n", phi, cov, phi))
    ordered = np.sort(probs)
    utility = np.where(available, ordered[:, -2] - ordered[:, -1], -np.inf)
    demand = np.maximum(COUNTS.sum() / K - COUNTS, 0)
    value = utility - 0.4 * (np.abs(demand - probs).sum(1) - demand.sum())
    assert set(np.argsort(-utility)[:20]) == set(sift(pool, 20, lam=0.0).rows)
    kept = set(sift(pool, 40).rows)
    assert set(np.argsort(-value)[:20]) <= kept
    for k in range(K):
        assert set(np.argsort(-(utility + 0.8 * probs[:, k]))[:5]) <= kept


@pytest.mark.parametrize("size", [1, 5, 9])
def test_the_first_pick_is_kept_however_few_rows_are(pool, size):
    """Also where it is the last row of the file, and the classes cannot share half of the rows evenly."""
    posterior, features, available, labels = pool
    order = np.argsort(np.arange(N) == of_all(pool, "margin", 0.4)[0], kind="stable")
    rows = sift((posterior, np.asarray(features)[order], available[order], labels[order]), size).rows
    assert len(rows) == size and rows[-1] == N - 1


@pytest.mark.parametrize("skipped", [-1, K])
def test_a_label_outside_the_classes_is_a_row_that_was_skipped(pool, skipped):
    posterior, features, available, labels = pool
    labels = np.where(np.arange(N) % 2, labels, skipped)
    some = posterior, features, available, labels
    picks = of_all(some, "margin", 0.4)
    assert skipped in labels[picks]
    assert missed(some, np.flatnonzero(available), picks) == (0, 0, BUDGET)
    rows = np.union1d(np.random.default_rng(0).choice(np.flatnonzero(available), 120, replace=False), picks[:3])
    picks = of_part(some, rows, jnp.asarray(np.asarray(features[rows], np.float32)), "margin", 0.4)
    assert missed(some, rows, picks).num_picks == sum(by_loops(some, rows, picks, 0.4))


def by_loops(pool, rows, picks, lam):
    """Picks that a row left out beats, by a query of the whole pool before each label."""
    posterior, features, available, labels = pool
    phi = jnp.asarray(np.asarray(features, np.float32))
    state = cycle.init(posterior, phi, jnp.asarray(available), jnp.asarray(COUNTS))
    inside, beaten = np.isin(np.arange(N), rows), []
    for row in picks:
        left_out = state._replace(available=jnp.asarray(available & ~inside).at[row].set(True))
        (best,), _ = cycle.query(left_out, KEY, utility="margin", lam=lam)
        beaten.append(int(best) != row)
        state = cycle.update(state, phi, jnp.array([row]), jnp.array([labels[row]]))
    return beaten


@pytest.mark.parametrize("seed", range(3))
def test_what_a_poor_sub_pool_missed(pool, seed):
    """Random rows: some of their picks would not have been picked of the whole pool."""
    rows = np.sort(np.random.default_rng(seed).choice(np.flatnonzero(pool[2]), 120, replace=False))
    picks = of_part(pool, rows, jnp.asarray(np.asarray(pool[1][rows], np.float32)), "margin", 0.4)
    beaten = by_loops(pool, rows, picks, 0.4)
    found = missed(pool, rows, picks)
    assert 0 < found.num_picks == sum(beaten) and found.first == beaten.index(True) and found.num_rows > 0


def test_without_updates_it_is_the_top_of_the_utility(pool):
    posterior, features, available, _ = pool
    rows = np.flatnonzero(available)
    logits, variance = laplace.predict(posterior, jnp.asarray(np.asarray(features[rows], np.float32)))
    ordered = np.sort(np.asarray(laplace.mean_field(logits, variance)))
    best = rows[np.argsort(ordered[:, -1] - ordered[:, -2])]
    picks = best[[0, 1, 3]]  # the third best is not among the rows kept
    plain = {"lam": 0.0, "update": False}
    assert missed(pool, best[[0, 1, 3, 9]], picks, **plain) == (1, 1, 2)
    assert missed(pool, best[:4], picks[:2], **plain) == (0, 0, 2)


def test_rows_that_are_no_numbers_are_counted_and_not_kept(pool):
    posterior, features, available, labels = pool
    spoilt = np.array(features)
    bad = np.flatnonzero(available)[[0, 9]]
    spoilt[bad, 2] = np.nan, np.inf
    kept = sift((posterior, spoilt, available, labels), N)
    assert kept.num_invalid == 2
    np.testing.assert_array_equal(kept.rows, np.setdiff1d(np.flatnonzero(available), bad))


def test_phi_of_and_progress(pool):
    said = []
    kept = sift(pool, 30, phi_of=lambda rows: 2.0 * jnp.asarray(rows, jnp.float32), told=said.append)
    np.testing.assert_array_equal(kept.phi, 2.0 * np.asarray(pool[1][kept.rows], np.float32))
    assert said == [256, 512, 700]


def test_one_compilation_serves_all_chunks_and_cycles(pool):
    kept = sift(pool, 30)
    missed(pool, kept.rows, kept.rows[:BUDGET])
    sizes = _sift._sifted._cache_size(), _missed._better._cache_size()
    kept = sift(pool, 30, lam=0.7)
    missed(pool, kept.rows, kept.rows[-BUDGET:], lam=0.7)
    assert (_sift._sifted._cache_size(), _missed._better._cache_size()) == sizes


def test_bad_arguments_are_named(pool):
    posterior, features, available, _ = pool
    for options, said in (
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"chunk": 0}, "chunk must be at least 1, got 0"),
        ({"utility": "random"}, "utility 'random' ranks no row before another"),
        ({"utility": "best"}, "utility must be a function or one of random.*'best'"),
        ({"lam": -1.0}, "lam must be at least 0 and finite, got -1.0"),
        (
            {"phi_of": lambda rows: jnp.ones((len(rows), 3))},
            r"phi must be \[n, 6\], as the posterior has it, got \[256, 3\]",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            sift(pool, **{"size": 10} | options)
    with pytest.raises(ValueError, match=r"\[N, H\] and \[N\], got \[700, 6\] and \[3\]"):
        out_of_core.sift(posterior, features, available[:3], COUNTS, size=10)
    with pytest.raises(ValueError, match="picks must be rows of kept, 3 is none"):
        missed(pool, np.array([1, 2]), np.array([1, 3]))
    assert missed(pool, np.array([1, 2]), np.array([-1])) == (0, 0, 0)
