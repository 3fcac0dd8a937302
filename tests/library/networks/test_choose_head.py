"""Feature maps by hand, and the choice between them on rows that only one of them suits."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.networks import choose_head, evidence, feature_maps, map_head, mapped, random_features
from alfamous_jax.networks.feature_maps import FeatureMap

pytestmark = pytest.mark.slow

RIDGES = jnp.array([10.0, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003])
KEY = jax.random.key(0)
NAMES = ("common", "unit", "clipped", "common-rbf", "clipped-rbf")
MAPS = tuple(map(feature_maps.parse, NAMES))


def measured(rows):
    return feature_maps.moments(jnp.asarray(rows, jnp.float32), KEY)


class TestFeatureMaps:
    def test_a_name_says_scaling_kernel_and_length(self):
        assert feature_maps.parse("unit") == FeatureMap("unit", 0.0)
        assert feature_maps.parse("clipped-rbf") == FeatureMap("clipped", 1.0)
        assert feature_maps.parse("common-rbf@0.25") == FeatureMap("common", 0.25)
        assert [str(feature_maps.parse(name)) for name in ("unit", "common-rbf@0.25")] == ["unit", "common-rbf@0.25"]

    @pytest.mark.parametrize("name", ["", "rbf", "common-", "common-rbf@", "common-rbf@0", "unit-rbf@x", "unit@2"])
    def test_another_name_is_refused(self, name):
        with pytest.raises(ValueError, match="is not one of common, clipped, unit"):
            feature_maps.parse(name)

    def test_scalings_by_hand(self):
        rows = np.array([[0.0, 10, 7], [2, 10, 7], [4, 40, 7]])
        known = measured(rows)
        deviation = np.sqrt([8 / 3, 200])
        np.testing.assert_allclose(known.mean, [2, 20, 7])
        np.testing.assert_allclose(known.deviation, [*deviation, np.inf], rtol=1e-6)
        centred = rows - np.asarray(known.mean)
        for name, wanted in (
            ("common", centred / np.linalg.norm(deviation)),
            ("clipped", centred / [*deviation, np.inf] / np.sqrt(2)),
            ("unit", centred / np.linalg.norm(centred, axis=1, keepdims=True)),
        ):
            np.testing.assert_allclose(feature_maps.scale(jnp.asarray(rows), known, name), wanted, atol=1e-6)
        far = feature_maps.scale(jnp.array([[2.0 + 100, 20, 7]]), known, "clipped")
        np.testing.assert_allclose(far, [[4 / np.sqrt(2), 0, 0]], rtol=1e-6)

    def test_rows_have_a_norm_of_one_on_average_under_every_map(self):
        rows = np.random.default_rng(0).normal(size=(400, 20)) * np.linspace(0.1, 5, 20) + 3
        known, draws = measured(rows), random_features.init(KEY, 20, 2000)
        for one in MAPS:
            phi = feature_maps.apply(one, known, draws, jnp.asarray(rows, jnp.float32), 2000)
            assert phi.shape == (400, 2000) and float(jnp.mean(jnp.sum(phi**2, axis=1))) == pytest.approx(1, rel=0.03)

    def test_an_rbf_map_is_the_kernel_of_the_median_distance(self):
        rows = np.random.default_rng(0).normal(size=(300, 6))
        known, draws = measured(rows), random_features.init(KEY, 6, 20_000)
        scaled = np.asarray(feature_maps.scale(jnp.asarray(rows, jnp.float32), known, "common"))
        squares = np.sum((scaled[:, None] - scaled) ** 2, axis=-1)
        median = np.median(squares[np.triu_indices(300, 1)])
        np.testing.assert_allclose(known.distances[0], median, rtol=1e-4)
        phi = np.asarray(feature_maps.apply(FeatureMap("common", 0.5), known, draws, jnp.asarray(rows), 20_000))
        np.testing.assert_allclose(phi[:50] @ phi[:50].T, np.exp(-squares[:50, :50] / (2 * 0.5 * median)), atol=0.03)

    def test_a_constant_column_and_a_pool_of_equal_rows_are_nothing(self):
        rows = np.full((30, 3), 0.1)
        known, draws = measured(rows), random_features.init(KEY, 3, 16)
        for one in MAPS:
            phi = feature_maps.apply(one, known, draws, jnp.asarray(rows + 5, jnp.float32), 16)
            assert np.all(np.isfinite(phi)) and np.ptp(np.asarray(phi), axis=0).max() == 0


def clouds(scales, num=120, seed=0):
    """Four classes that only the first three columns tell apart; the columns then have these scales."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, num, p=[0.4, 0.3, 0.2, 0.1])
    rows = rng.normal(size=(num, len(scales)))
    rows[:, :3] = 2.5 * rng.normal(size=(4, 3))[labels] + rng.normal(size=(num, 3))
    return rows * scales, labels


def chosen(rows, labels, mask, criterion="loo", ridges=RIDGES):
    known, draws = measured(rows), random_features.init(KEY, rows.shape[1], 256)
    phi = [feature_maps.apply(one, known, draws, jnp.asarray(rows, jnp.float32)) for one in MAPS]
    return phi, choose_head.choose(KEY, phi, jnp.asarray(labels), jnp.asarray(mask), 4, ridges, criterion=criterion)


@pytest.mark.parametrize("criterion", choose_head.CRITERIA)
class TestChoose:
    def test_one_scale_for_principal_components_and_one_each_for_units(self, criterion):
        """What matters is large in the first pool and small in the second, among as many columns of noise."""
        everything = np.ones(120, bool)
        components = clouds(np.concatenate([np.full(3, 5.0), np.full(7, 0.3)]))
        units = clouds(np.concatenate([np.full(3, 1e-3), np.full(7, 1e3)]))
        for (rows, labels), fitting in ((components, {"common", "unit"}), (units, {"clipped"})):
            _, choice = chosen(rows, labels, everything, criterion)
            assert MAPS[int(choice.place)].scaling in fitting and choice.info.converged

    def test_the_head_is_the_exact_fit_of_the_best_score(self, criterion):
        rows, labels = clouds(np.ones(10))
        mask = np.arange(120) < 80
        phi, choice = chosen(rows, labels, mask, criterion)
        place, which = np.unravel_index(np.argmax(choice.scores), choice.scores.shape)
        assert (int(choice.place), float(choice.ridge)) == (place, float(RIDGES[which]))
        _, info = map_head.fit(phi[place], labels, mask, 4, float(choice.ridge))
        np.testing.assert_allclose(choice.info.objective, info.objective, rtol=2e-4)
        mean = choice.mean[:, : phi[place].shape[1]]
        assert choice.mean.shape == (4, 256) and not choice.mean[:, mean.shape[1] :].any()
        loss = -np.sum(jax.nn.log_softmax(phi[place] @ mean.T)[np.arange(120), labels] * mask)
        np.testing.assert_allclose(loss + choice.ridge / 2 * np.sum(choice.mean**2), choice.info.objective, rtol=1e-5)

    def test_a_row_of_each_class_is_enough(self, criterion):
        rows, labels = clouds(np.ones(10))
        first = np.isin(np.arange(120), [np.flatnonzero(labels == k)[0] for k in range(4)])
        _, choice = chosen(rows, labels, first, criterion)
        assert np.isfinite(np.max(choice.scores)) and np.all(np.isfinite(choice.mean)) and choice.info.converged

    def test_the_climb_ends_where_a_look_at_every_ridge_does(self, criterion):
        rows, labels = clouds(np.linspace(0.1, 3, 10))
        phi, choice = chosen(rows, labels, np.ones(120, bool), criterion)
        every = np.stack([grid(one, labels, criterion) for one in phi])
        seen = np.isfinite(choice.scores)
        np.testing.assert_allclose(choice.scores[seen], every[seen], rtol=5e-3)  # folds stop at a gap of 1e-3
        assert np.max(choice.scores) >= every.max() - 5e-3 * abs(every.max()) and seen.sum() <= 0.6 * seen.size


@partial(jax.jit, static_argnames="criterion")
def grid(phi, labels, criterion):
    """The scores of one map at every ridge, each fit on its own."""
    everything = jnp.ones(len(labels), bool)
    base = map_head.basis(phi, everything)

    def score(ridge):
        weights, _ = map_head.fit_in(base, labels, everything, 4, ridge)
        if criterion == "folds":
            return -choose_head._held_out_loss(KEY, base, labels, everything, 4, ridge, weights)
        if criterion == "evidence":
            return evidence.log_evidence(base, labels, everything, weights, ridge)
        return -evidence.leave_one_out_loss(base, labels, everything, weights, ridge)

    return jax.lax.map(score, RIDGES)


def test_a_climb_that_begins_where_no_fit_converges_goes_up():
    rows, labels = clouds(np.ones(10))
    ridges = jnp.array([1.0, 0.1, 0.01, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15])
    _, choice = chosen(rows, labels, np.ones(120, bool), ridges=ridges)
    assert choice.info.converged and float(choice.ridge) >= 0.01
    assert not np.isfinite(choice.scores[0, 4])


def test_another_criterion_is_refused():
    with pytest.raises(ValueError, match="criterion must be 'loo', 'evidence' or 'folds', got 'f1'"):
        choose_head.choose(KEY, [jnp.ones((4, 2))], jnp.zeros(4, int), jnp.ones(4, bool), 2, RIDGES, criterion="f1")


def test_a_model_answers_with_the_map_that_was_chosen():
    rows = jnp.asarray(clouds(np.ones(10))[0], jnp.float32)
    model = mapped.Mapped(MAPS, 4, 64)
    variables = mapped.with_moments(model.init(KEY, rows[:1]), measured(rows))
    every = model.apply(variables, rows, method=mapped.Mapped.every)
    answer = jax.jit(model.apply)
    for place in range(len(MAPS)):
        mean = jax.random.normal(KEY, (4, 64))
        outputs = answer(mapped.with_choice(variables, jnp.asarray(place), mean), rows)
        phi = np.pad(every[place], ((0, 0), (0, 64 - every[place].shape[1])))
        np.testing.assert_allclose(outputs.phi, phi, atol=1e-6)
        np.testing.assert_allclose(outputs.logits, phi @ mean.T, atol=1e-5)
    assert answer._cache_size() == 1
