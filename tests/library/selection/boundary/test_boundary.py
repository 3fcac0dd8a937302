"""GALAXY and DIRECT against loops written from the papers' rules, on lines by hand and on random ones."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import boundary
from alfamous_jax.selection.boundary import _direct
from alfamous_jax.selection.boundary._line import Line, line

pytestmark = pytest.mark.fits

KEY = jax.random.key(0)


def in_line(probs, number, known):
    """Positions of the known rows in falling order of a class, ties to the lowest row, in plain Python."""
    worth = {
        row: probs[row].max() if probs[row].argmax() == number else probs[row][number] - probs[row].max()
        for row in known
    }
    return sorted(known, key=lambda row: (-worth[row], row))


def by_loops(order, signs):
    """The position that GALAXY asks for, by a look at every pair of labels; None where chance decides."""
    gaps = []
    for i in range(len(order)):
        for j in range(i + 1, len(order)):
            if signs[i] and signs[j] and not any(signs[i + 1 : j]) and signs[i] != signs[j] and j > i + 1:
                gaps.append((j - i, i, (i + j) // 2))
    if gaps:
        return min(gaps)[2]
    cuts = [i + 0.5 for i in range(len(order) - 1) if signs[i] * signs[i + 1] == -1]
    free = [i for i in range(len(order)) if not signs[i]]
    return min(free, key=lambda i: (min(abs(i - cut) for cut in cuts), i)) if cuts else None


def pools(seed, num=40, num_classes=3):
    """Probabilities that say much about labels, some rows labelled and some not in the pool."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(num_classes, num, p=[0.6, 0.3, 0.1])
    logits = 1.5 * np.eye(num_classes)[labels] + rng.normal(size=(num, num_classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    state = rng.choice(3, num, p=[0.25, 0.65, 0.1])  # labelled, available, neither
    return probs.astype(np.float32), labels, state == 0, state == 1


@pytest.mark.parametrize("seed", range(8))
def test_galaxy_asks_what_loops_over_all_pairs_of_labels_ask(seed):
    probs, labels, labelled, available = pools(seed)
    found = boundary.galaxy(KEY, probs, labels, labelled, available, budget=40)
    known, by_rule = labelled.copy(), 0
    for row in np.asarray(found.indices):
        left = np.flatnonzero(available & ~known)
        if row < 0:
            assert not left.size
            continue
        assert row in left
        number = known.sum() % 3
        order = in_line(probs, number, np.flatnonzero(known | available))
        signs = [(1 if labels[r] == number else -1) * int(known[r]) for r in order]
        wanted = by_loops(order, signs)
        if wanted is not None:
            by_rule += 1
            assert row == order[wanted]
        known[row] = True
    assert by_rule > 5 and found.num_selected == available.sum()


def test_a_clean_end_is_found_by_bisection():
    """Of two classes whose ranking is right, the end is between the last and the first row that were asked for."""
    sure = np.linspace(0.99, 0.01, 1000)
    probs = np.stack([sure, 1 - sure], axis=1).astype(np.float32)
    for end in (1, 37, 500, 998):
        labels = (np.arange(1000) >= end).astype(int)
        labelled = np.isin(np.arange(1000), [0, 999])
        found = boundary.galaxy(KEY, probs, labels, labelled, ~labelled, budget=10)
        known = np.append(found.indices, [0, 999])
        assert {end - 1, end} <= set(known.tolist())  # log2 998 = 9.96


def test_beyond_the_end_the_nearest_rows_are_asked_for():
    """The fault of a well-known port: there they lie 80 rows away on average."""
    sure = np.linspace(0.99, 0.01, 300)
    probs = np.stack([sure, 1 - sure], axis=1).astype(np.float32)
    labelled = np.isin(np.arange(300), [0, 149, 150, 299])
    found = boundary.galaxy(KEY, probs, (np.arange(300) >= 150).astype(int), labelled, ~labelled, budget=20)
    assert set(np.asarray(found.indices).tolist()) == set(range(139, 161)) - {149, 150}


def test_without_two_kinds_of_labels_chance_decides():
    probs, labels, _, available = pools(0)
    nothing = np.zeros(40, bool)
    first = {
        int(boundary.galaxy(jax.random.key(s), probs, labels, nothing, available, budget=1).indices[0])
        for s in range(9)
    }
    assert len(first) > 4 and all(available[row] for row in first)


def test_direct_cuts_where_the_fewest_labels_are_wrong():
    rng = np.random.default_rng(1)
    for _ in range(20):
        signs = rng.choice([-1, 0, 1], 30, p=[0.25, 0.5, 0.25])
        cut = int(_direct._cut(Line(jnp.arange(30), jnp.asarray(signs), jnp.asarray(signs == 0))))
        wrong = [np.sum(signs[:c] < 0) + np.sum(signs[c:] > 0) for c in range(31)]
        assert wrong[cut] == min(wrong)


def test_the_interval_of_direct_by_hand():
    for signs, wanted in (
        ([1, 0, 1, 0, 0, -1, 0, -1], (3, 5)),
        ([0, 1, -1, 0, 1, 0, -1, 0], (2, 6)),  # + - . + . -: from behind the first + to the last -
        ([0, -1, 0, 0], (0, 1)),
        ([0, 1, 0], (2, 3)),
        ([0, 0, 0], (0, 3)),
    ):
        signs = jnp.array(signs)
        assert tuple(map(int, _direct.interval(Line(jnp.arange(len(signs)), signs, signs == 0)))) == wanted
    signs, free = jnp.array([0, 1, 0, 0, 0]), jnp.array([True, False, True, False, False])  # the last two: neither
    assert tuple(map(int, _direct.interval(Line(jnp.arange(5), signs, free)))) == (2, 3)


def test_the_end_that_labels_contradict_moves_in():
    """Ten rows without a label; one + near the far end does not hold against the - before it."""
    signs = jnp.array([0, 0, 1, 0, 1, 0, -1, 0, -1, 0, -1, 0, 1, 0, 0])
    one = Line(jnp.arange(15), signs, signs == 0)
    for seed in range(5):
        low, high = _direct.shorten(jax.random.key(seed), one, jnp.array(0), jnp.array(15), jnp.array(2))
        assert 2 <= int(low) <= 6 and 5 <= int(high) <= 8  # behind the + at 4 is the best cut
        assert int(_direct.inside(one, low, high)) <= 2


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_direct_finds_the_end_of_a_class_also_under_wrong_labels(wrong):
    """GALAXY's bisection goes astray after one wrong label; the picks of DIRECT stay near the end."""
    rng = np.random.default_rng(2)
    sure = np.linspace(0.99, 0.01, 2000)
    probs = np.stack([sure, 1 - sure], axis=1).astype(np.float32)
    labels = (np.arange(2000) >= 300).astype(int)
    labels = np.where(rng.random(2000) < wrong, 1 - labels, labels)
    labelled = np.isin(np.arange(2000), [0, 1999])
    labels[[0, 1999]] = 0, 1
    found = boundary.direct(KEY, probs, labels, labelled, ~labelled, budget=240)
    picks = set(np.asarray(found.indices).tolist())
    assert found.num_selected == len(picks) == 240
    near = len(picks & set(range(200, 400)))
    assert picks >= set(range(260, 340)) if wrong == 0 else near > 100


def test_half_of_the_budget_goes_to_the_rarest_classes_and_the_rest_is_shared():
    probs, labels, labelled, available = pools(3, num=600)
    found = boundary.direct(KEY, probs, labels, labelled, available, budget=120, round_size=10, least=20)
    picks = np.asarray(found.indices)
    assert len(set(picks.tolist())) == 120 and available[picks].all()
    counts = np.bincount(labels[labelled], minlength=3)
    late = picks[60:]
    for turn, row in enumerate(late[:6]):
        number = np.argsort(counts, kind="stable")[turn % 3]
        after = labelled | np.isin(np.arange(600), picks[: 60 + turn])
        one = line(jnp.asarray(probs), number, jnp.asarray(labels), jnp.asarray(after), jnp.asarray(available))
        known = labelled | np.isin(np.arange(600), picks[:60])
        cut = int(
            _direct._cut(
                line(jnp.asarray(probs), number, jnp.asarray(labels), jnp.asarray(known), jnp.asarray(available))
            )
        )
        place = int(np.flatnonzero(np.asarray(one.order) == row)[0])
        free = np.flatnonzero(np.asarray(one.free))
        side = free[free >= cut] if turn < 3 else free[free < cut]
        assert place == (side.min() if turn < 3 else side.max())


@pytest.mark.parametrize("changes", [{"budget": 0}, {"round_size": 0}, {"least": 0}])
def test_impossible_settings_are_refused(changes):
    probs, labels, labelled, available = pools(0)
    with pytest.raises(ValueError, match="must be at least 1, got"):
        boundary.direct(KEY, probs, labels, labelled, available, **{"budget": 5} | changes)


def test_rows_without_numbers_are_passed_over_and_counted():
    probs, labels, labelled, available = pools(1)
    bad = np.flatnonzero(available)[:3]
    probs[bad] = np.nan
    for select in (boundary.galaxy, boundary.direct):
        found = select(KEY, probs, labels, labelled, available, budget=40)
        assert found.num_invalid == 3 and found.num_selected == available.sum() - 3
        assert not set(bad.tolist()) & set(np.asarray(found.indices).tolist())


def test_a_row_at_a_time_is_the_batch():
    probs, labels, labelled, available = pools(5)
    whole = np.asarray(boundary.galaxy(KEY, probs, labels, labelled, available, budget=8).indices)
    known, free, singly = labelled.copy(), available.copy(), []
    for _ in range(8):
        row = int(boundary.galaxy(KEY, probs, labels, known, free, budget=1).indices[0])
        known[row], free[row] = True, False
        singly.append(row)
    assert singly == whole.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_count_for_nothing_change_no_pick(seed):
    """Neither labelled nor available, as the padding of a pool that is split: the line ends before them."""
    probs, labels, labelled, available = pools(seed)
    padded = [
        np.pad(array, ((0, 15),) + ((0, 0),) * (array.ndim - 1)) for array in (probs, labels, labelled, available)
    ]
    for select in (
        partial(boundary.galaxy, budget=12),
        partial(boundary.direct, budget=12, round_size=2, least=2),
    ):
        picks = [
            select(jax.random.key(seed), *arrays).indices.tolist()
            for arrays in ((probs, labels, labelled, available), padded)
        ]
        assert picks[0] == picks[1]
