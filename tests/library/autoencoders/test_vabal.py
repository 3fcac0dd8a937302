"""VaB-AL against the paper's arithmetic and float64 loops over rows, draws and classes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stage_vae_loops import KEY, MEASURES, RNG, K, Reference, make_models, pool

from alfamous_jax.autoencoders import stage_vae, vabal
from alfamous_jax.autoencoders.stage_vae import BLOCK, StageVAE, Training
from alfamous_jax.autoencoders.vabal import Rates, Scoring

pytestmark = pytest.mark.slow


class TestArithmetic:
    """The toy numbers of Eq. 6, 11 and 12, worked by hand."""

    def test_rates(self):
        votes = jax.nn.one_hot(jnp.array([0, 1, 1, 1, 0, 0]), 2, dtype=jnp.int32)
        labelled = jnp.array([True] * 5 + [False])
        rates = vabal.class_rates(votes, jnp.array([0, 0, 1, 1, 1, 0]), labelled)
        np.testing.assert_allclose(rates.precision, [1 / 2, 2 / 3], rtol=1e-6)
        np.testing.assert_allclose(rates.prior, [2 / 5, 3 / 5], rtol=1e-6)

    def test_draws_are_counted_one_by_one(self):
        """Of 4 draws of two rows of class 0, 3 and 2 name class 0, the others class 2; class 1 is never named."""
        rates = vabal.class_rates(jnp.array([[3, 0, 1], [2, 0, 2]]), jnp.array([0, 0]), jnp.ones(2, bool))
        np.testing.assert_allclose(rates.precision, [1.0, 0.0, 0.0])
        np.testing.assert_allclose(rates.prior, [5 / 8, 0.0, 3 / 8])

    @pytest.mark.parametrize(
        ("likelihood", "expected"),
        [
            ("exp", (0.36985689, 0.50264486, 0.62539677)),
            ("inverse", (-2.71111111, -0.64, -0.3)),
        ],
    )
    def test_score(self, likelihood, expected):
        losses = jnp.array([[0.2, 0.9], [0.5, 0.5], [0.9, 0.2]])
        rates = Rates(jnp.array([0.9, 0.5]), jnp.array([0.8, 0.2]))
        np.testing.assert_allclose(vabal.score(losses, rates, Scoring(likelihood=likelihood)), expected, rtol=1e-5)

    def test_score_of_the_authors_code(self):
        losses = jnp.array([[0.2, 0.9], [0.5, 0.5], [0.9, 0.2]])
        scoring = Scoring(likelihood="loss", use_difficulty=False)
        got = vabal.score(losses, Rates(jnp.array([0.9, 0.5]), jnp.array([0.8, 0.2])), scoring)
        np.testing.assert_allclose(got, [0.66, 0.5, 0.24], rtol=1e-5)

    @pytest.mark.parametrize(
        ("prior", "difficulty", "expected"), [(False, False, 0.7), (True, False, 0.84), (False, True, 0.84)]
    )
    def test_ablated_terms_count_as_one(self, prior, difficulty, expected):
        """Losses log(10) and log(5): likelihoods .1 and .2; the term left in is (.6, .5) or (.6, .5)."""
        rates = Rates(jnp.array([0.6, 0.5]), jnp.array([0.6, 0.5]))
        scoring = Scoring(use_prior=prior, use_difficulty=difficulty)
        np.testing.assert_allclose(
            vabal.score(jnp.log(jnp.array([[10.0, 5.0]])), rates, scoring), [expected], rtol=1e-6
        )


class TestReading:
    """The pass over a pool."""

    @pytest.mark.parametrize("constraint", MEASURES)
    @pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
    def test_against_loops_in_float64(self, constraint, batch_norm):
        stages = tuple(h[:6] for h in pool()[0])
        model = StageVAE(K, 2, constraint, batch_norm, 0.3)
        models = make_models(model, stages)
        noise = RNG.normal(size=(4, K * BLOCK)).astype(np.float32)
        losses, votes = vabal.read(models, stages, noise, model=model)
        expected, expected_votes = Reference(models, batch_norm).read(stages, noise, constraint, 0.3)
        np.testing.assert_allclose(losses, expected, rtol=2e-5)
        np.testing.assert_array_equal(votes, expected_votes)

    def test_chunks_do_not_matter(self, monkeypatch):
        stages, model = pool()[0], StageVAE(K, 2)
        models, noise = make_models(model, stages), RNG.normal(size=(4, K * BLOCK)).astype(np.float32)
        whole = vabal.read(models, stages, noise, model=model)
        monkeypatch.setattr(vabal, "DRAWN_AT_ONCE", 7 * 4 * stage_vae.WIDTH)
        chunked = vabal.read.__wrapped__(models, stages, noise, model=model)
        np.testing.assert_allclose(chunked[0], whole[0], rtol=1e-5)
        np.testing.assert_array_equal(chunked[1], whole[1])

    def test_classes_are_their_blocks(self):
        """Two classes whose latents change places change places in losses and votes."""
        stages, model = pool()[0], StageVAE(K, 2)
        models, noise = make_models(model, stages), RNG.normal(size=(4, K * BLOCK)).astype(np.float32)
        order = np.arange(K * BLOCK).reshape(K, BLOCK)[[2, 1, 0]].ravel()
        moved = jax.tree.map(lambda leaf: leaf, models)
        autoencoder = moved.variables["params"]["autoencoder"]
        for head in ("mean", "log_variance"):
            autoencoder[head] = jax.tree.map(lambda leaf: leaf[..., order], autoencoder[head])
        autoencoder["decoder"]["Dense_0"]["kernel"] = autoencoder["decoder"]["Dense_0"]["kernel"][order]
        losses, votes = vabal.read(models, stages, noise, model=model)
        swapped = vabal.read(moved, stages, noise[:, order], model=model)
        np.testing.assert_allclose(swapped[0], losses[:, [2, 1, 0]], rtol=1e-5)
        np.testing.assert_array_equal(swapped[1], votes[:, [2, 1, 0]])
        assert np.abs(losses[:, 0] - losses[:, 2]).min() > 1e-4


def test_bad_settings_are_named():
    stages, labels, labelled, available = pool(6)
    fit = partial(stage_vae.fit, KEY, stages, labels, available, training=Training(epochs=1))
    with pytest.raises(ValueError, match="the model has num_stages 3, got 2 stages"):
        fit(model=StageVAE(K, 3))
    with pytest.raises(ValueError, match="constraint must be one of square, absolute, sigmoid, got 'cube'"):
        fit(model=StageVAE(K, 2, "cube"))
    model = StageVAE(K, 2)
    rows = make_models(model, stages), stages, labels, labelled, available
    for scoring, message in (
        (Scoring(likelihood="log"), "likelihood must be one of exp, inverse, loss, got 'log'"),
        (Scoring(prior_from="all"), "prior_from must be labelled or available, got 'all'"),
    ):
        with pytest.raises(ValueError, match=message):
            vabal.utility(KEY, *rows, model=model, scoring=scoring)


TRAINING = Training(epochs=40, learning_rate=3e-3, weight=0.05)


@pytest.fixture(scope="module")
def trained():
    """A pool and its autoencoder."""
    stages, labels, labelled, available = pool(600)
    fit = partial(stage_vae.fit, KEY, model=StageVAE(K, 2), training=TRAINING)
    models, losses = fit(stages, labels, available)
    return stages, labels, labelled, available, models, losses


class TestTraining:
    """What the autoencoder learns."""

    def test_it_learns_rows_and_labels(self, trained):
        stages, labels, labelled, _, models, losses = trained
        assert losses.shape == (40,) and losses[-1] < 0.5 * losses[0]
        noise = jax.random.normal(KEY, (20, K * BLOCK))
        errors, votes = vabal.read(models, stages, noise, model=StageVAE(K, 2))
        assert (np.argmax(votes[labelled], axis=1) == labels[labelled]).mean() > 0.95
        assert (np.argmin(errors[labelled], axis=1) == labels[labelled]).mean() > 0.95

    def test_only_finite_available_rows_teach(self, trained):
        stages, labels, labelled, available, *_ = trained
        fit = partial(stage_vae.fit, KEY, model=StageVAE(K, 2), training=TRAINING._replace(epochs=2))
        spoilt, fewer = tuple(np.array(h) for h in stages), available.copy()
        spoilt[0][labelled] = np.nan
        spoilt[1][-1, 0], fewer[-1] = np.inf, False
        changed = np.where(labelled, 0, labels)
        jax.tree.map(np.testing.assert_array_equal, fit(spoilt, changed, available), fit(stages, labels, fewer))

    def test_a_milestone_lowers_the_rate(self, trained):
        stages, labels, _, available, *_ = trained
        fit = partial(stage_vae.fit, KEY, stages, labels, available, model=StageVAE(K, 2))
        one, two, lowered = (
            fit(training=TRAINING._replace(epochs=epochs, milestones=milestones))[0].variables["params"]
            for epochs, milestones in ((1, ()), (2, ()), (2, (1,)))
        )
        moves = [
            np.concatenate([np.ravel(a - b) for a, b in zip(jax.tree.leaves(end), jax.tree.leaves(one), strict=True)])
            for end in (two, lowered)
        ]
        assert 0.05 < np.abs(moves[1]).mean() / np.abs(moves[0]).mean() < 0.2

    def test_batch_norm_moves_in_training_only(self, trained):
        stages, labels, _, available, *_ = trained
        model = StageVAE(K, 2, batch_norm=True)
        models, losses = stage_vae.fit(
            KEY, stages, labels, available, model=model, training=TRAINING._replace(epochs=3)
        )
        means = [
            leaf for path, leaf in jax.tree.leaves_with_path(models.variables["batch_stats"]) if "mean" in str(path)
        ]
        assert len(means) == 6 and all(np.abs(mean).max() > 0.01 for mean in means) and losses[-1] < losses[0]


class TestUtility:
    """The whole score."""

    def utility(self, trained, **changes):
        stages, labels, labelled, available, models, _ = trained
        rows = {"stages": stages, "labels": labels, "labelled": labelled, "available": available, **changes}
        scoring = rows.pop("scoring", Scoring(num_samples=10))
        return vabal.utility(KEY, models, **rows, model=StageVAE(K, 2), scoring=scoring)

    def test_a_frequent_class_comes_last(self, trained):
        """Where the labelled rows are nearly all of class 0, rows of class 0 are the most surely right."""
        labels, labelled = trained[1], trained[2]
        dominated = labelled & ((labels == 0) | (np.arange(len(labels)) < 12))
        utility, rates = self.utility(trained, labelled=dominated)
        assert rates.prior[0] > 0.6
        means = [np.mean(utility[~labelled & (labels == n)]) for n in range(K)]
        assert means[0] < min(means[1:])

    def test_rows_that_are_not_finite(self, trained):
        """They have no score, and those labelled do not count."""
        stages, labels, labelled, *_ = trained
        spoilt = tuple(np.array(h) for h in stages)
        spoilt[0][3, 1], spoilt[1][-2, 0] = np.inf, np.nan
        utility, rates = self.utility(trained, stages=spoilt)
        assert np.flatnonzero(np.isnan(utility)).tolist() == [3, len(labels) - 2]
        expected = self.utility(trained, labelled=labelled & (np.arange(len(labels)) != 3))[1]
        jax.tree.map(np.testing.assert_array_equal, rates, expected)

    def test_nothing_labelled(self, trained):
        utility, rates = self.utility(trained, labelled=np.zeros(len(trained[1]), bool))
        np.testing.assert_array_equal(utility, 1.0)
        assert not np.any(rates.prior)

    def test_prior_of_the_available_rows(self, trained):
        labels, available = trained[1], trained[3]
        few = available & (labels != 1)
        scoring = Scoring(num_samples=10, prior_from="available")
        rates = self.utility(trained, available=few, scoring=scoring)[1]
        noise = jax.random.normal(KEY, (10, K * BLOCK))
        _, votes = vabal.read(trained[4], trained[0], noise, model=StageVAE(K, 2))
        votes = np.asarray(votes)[few].sum(axis=0)
        np.testing.assert_allclose(rates.prior, votes / votes.sum(), rtol=1e-6)
        np.testing.assert_array_equal(rates.precision, self.utility(trained)[1].precision)
