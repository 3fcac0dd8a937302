"""REFINE against the law of its draws in float64, and against what each round can be seen to do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import hypergeom

from alfamous_jax import subpool

pytestmark = pytest.mark.fits

N, B, SHOWN, DRAWS = 30, 2, 8, 3
KEY = jax.random.key(0)
WORTH = jnp.asarray(np.random.default_rng(0).permutation(N), jnp.float32)


def best(key, rows):
    """The rows worth most among those that are shown."""
    worth, places = jax.lax.top_k(jnp.where(rows >= 0, WORTH[rows], -jnp.inf), B)
    return jnp.where(jnp.isfinite(worth), places, -1)


def worst(key, rows):
    worth, places = jax.lax.top_k(jnp.where(rows >= 0, -WORTH[rows], -jnp.inf), B)
    return jnp.where(jnp.isfinite(worth), places, -1)


def refined(members, available, **settings):
    """A compiled function of the key."""
    return jax.jit(lambda key: subpool.refine(key, members, available, **settings))


def shares_of(lists):
    """How many of some lists have a row [N]."""
    return np.bincount(np.asarray(lists).ravel() + 1, minlength=N + 1)[1:] / len(lists)


def chance(rank, left, draws):
    """Of the row of a rank among those left to be one of the best B of some random subset."""
    seen = SHOWN / left * hypergeom(left - 1, rank, SHOWN - 1).cdf(B - 1)
    return 1 - (1 - seen) ** draws


def test_a_round_keeps_rows_by_the_law_of_its_draws():
    """Two members that want the opposite: every row's share of 4,000 rounds."""
    available = np.arange(N) % 10 > 0
    worth = np.asarray(WORTH)
    left, rank = available.sum(), (worth[available] > worth[:, None]).sum(axis=1)
    settings = {"size": N, "shown": SHOWN, "rounds": 1, "draws": 2 * DRAWS}
    many = jax.jit(jax.vmap(refined([best, worst], available, **settings)))
    missed = (1 - chance(rank, left, DRAWS)) * (1 - chance(left - 1 - rank, left, DRAWS))
    expected = np.where(available, 1 - missed, 0)
    np.testing.assert_allclose(shares_of(many(jax.random.split(KEY, 4000))), expected, atol=5 * np.sqrt(0.25 / 4000))
    assert expected.max() > 0.5 and expected[available].min() < 0.1


def test_one_draw_of_the_whole_pool_is_the_member():
    available = np.arange(N) % 3 > 0
    found = refined([best], available, size=4, shown=N, rounds=4, draws=1)(KEY)
    wanted = sorted(np.flatnonzero(available), key=lambda row: -WORTH[row])[:B]
    assert found.tolist() == [*sorted(wanted), -1, -1]


def test_no_round_is_the_pool_itself_drawn_where_it_is_too_large():
    available = np.arange(N) % 3 > 0
    whole = refined([best], available, size=N, rounds=0)(KEY)
    assert whole.tolist() == [*np.flatnonzero(available), *[-1] * 10]
    cut = jax.jit(jax.vmap(refined([best], available, size=5, rounds=0)))(jax.random.split(KEY, 2000))
    np.testing.assert_allclose(shares_of(cut), np.where(available, 5 / 20, 0), atol=5 * np.sqrt(0.25 / 2000))


def test_rounds_show_rows_of_the_last_picks_and_end_with_the_union():
    """What two members saw and picked, draw by draw."""
    seen = []

    def watched(key, rows):
        places = jax.random.permutation(key, rows.size)[:B]  # of rows, some of them none
        jax.debug.callback(lambda *said: seen.append([x.tolist() for x in said]), rows, rows[places], ordered=True)
        return places

    found = refined([watched] * 2, np.ones(N, bool), size=N, shown=20, rounds=3, draws=13, kept=0.5)(KEY)
    jax.effects_barrier()
    assert len(seen) == 36  # six draws of each
    pool = set(range(N))
    for number in range(3):
        draws = seen[12 * number : 12 * (number + 1)]
        shown = [tuple(row for row in rows if row >= 0) for rows, _ in draws]
        amount = 20 if number == 0 else max(B, len(pool) // 2)
        assert all(len(set(rows)) == len(rows) == amount and set(rows) <= pool for rows in shown)
        assert len(set(shown)) == 12  # anew each time
        pool = {row for _, picks in draws for row in picks} - {-1}
    assert found.tolist() == [*sorted(pool), *[-1] * (N - len(pool))]


def test_members_without_a_row_leave_none_and_bad_numbers_are_refused():
    none = refined([best, worst], np.zeros(N, bool), size=4, draws=4)(KEY)
    assert none.tolist() == [-1] * 4
    for changes, message in (
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"members": []}, "members must be at least 1, got 0"),
        ({"rounds": -1}, "rounds must be at least 0, kept from 0 to 1 and draws at least the 1 members, got -1, 0.4"),
        ({"kept": 1.5}, "got 5, 1.5 and 100"),
        ({"members": [best] * 5, "draws": 4}, "draws at least the 5 members, got 5, 0.4 and 4"),
    ):
        with pytest.raises(ValueError, match=message):
            subpool.refine(KEY, **{"members": [best], "available": np.ones(N, bool), "size": 4} | changes)


def test_vmap_gives_the_same_and_other_keys_other_rows():
    found = refined([best], np.ones(N, bool), size=3, shown=SHOWN, rounds=2, draws=2)
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(found)(keys)
    np.testing.assert_array_equal(together[1], found(keys[1]))
    assert together.shape == (3, 3) and len({tuple(rows) for rows in together.tolist()}) > 1
