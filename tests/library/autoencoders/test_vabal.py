"""VaB-AL against the paper's arithmetic and float64 loops over rows, draws and classes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.autoencoders import stage_vae, vabal, vae
from alfamous_jax.autoencoders.stage_vae import BLOCK, StageVAE, Training
from alfamous_jax.autoencoders.vabal import Rates, Scoring

K, KEY = 3, jax.random.key(0)
RNG = np.random.default_rng(0)
MEASURES = {"square": lambda z: z**2, "absolute": np.abs, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}


def pool(num=90):
    """Two stages of rows in three clouds, their classes, a mask of the labelled and one of the available."""
    labels = np.arange(num) % K
    stages = tuple(
        jnp.asarray(3.0 * RNG.normal(size=(K, width))[labels] + RNG.normal(size=(num, width)), jnp.float32)
        for width in (5, 4)
    )
    labelled = np.arange(num) < num // 3
    return stages, labels, labelled, ~labelled


def make_models(model, stages):
    """Random parameters and batch statistics, nothing at 0 or 1."""
    variables = model.init(KEY, tuple(h[:1] for h in stages), jnp.zeros((1, K * BLOCK)))

    def shake(path, leaf):
        name = jax.tree_util.keystr(path)
        moved = leaf + 0.03 * RNG.normal(size=leaf.shape).astype(np.float32)
        return jnp.abs(moved) + 0.5 if "var" in name and "batch_stats" in name else moved

    variables = jax.tree_util.tree_map_with_path(shake, variables)
    moments = [(h.mean(0), h.std(0)) for h in stages]
    return stage_vae.Models(variables, *(tuple(jnp.asarray(m) for m in part) for part in zip(*moments, strict=True)))


class Reference:
    """The autoencoder in float64, a row and a draw at a time."""

    def __init__(self, models, batch_norm):
        self.models = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), models)
        self.params, self.batch_norm = self.models.variables["params"], batch_norm

    def layers(self, part, h, num):
        weights = self.params["autoencoder"][part]
        for i in range(num):
            h = np.maximum(h @ weights[f"Dense_{i}"]["kernel"] + weights[f"Dense_{i}"]["bias"], 0)
            if self.batch_norm:
                stats = self.models.variables["batch_stats"]["autoencoder"][part][f"BatchNorm_{i}"]
                scaled = (h - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
                h = scaled * weights[f"BatchNorm_{i}"]["scale"] + weights[f"BatchNorm_{i}"]["bias"]
        return h

    def embed(self, row):
        scaled = [(h - m) / d for h, m, d in zip(row, self.models.mean, self.models.deviation, strict=True)]
        parts = [
            h @ self.params[f"layers_{i}"]["kernel"] + self.params[f"layers_{i}"]["bias"] for i, h in enumerate(scaled)
        ]
        return 1 / (1 + np.exp(-np.concatenate(parts)))

    def encode(self, x):
        h = self.layers("encoder", x, 3)
        heads = [self.params["autoencoder"][name] for name in ("mean", "log_variance")]
        return [h @ head["kernel"] + head["bias"] for head in heads]

    def decode(self, z):
        last = self.params["autoencoder"]["decoder"]["Dense_3"]
        return self.layers("decoder", z, 3) @ last["kernel"] + last["bias"]

    def read(self, stages, noise, constraint, kl_weight):
        losses, votes = np.zeros((len(stages[0]), K)), np.zeros((len(stages[0]), K), int)
        for i in range(len(stages[0])):
            x = self.embed([np.asarray(h[i], np.float64) for h in stages])
            mean, log_variance = self.encode(x)
            kl = np.mean([(m * m + np.exp(v) - 1 - v) / 2 for m, v in zip(mean, log_variance, strict=True)])
            for eps in np.asarray(noise, np.float64):
                z = mean + np.exp(log_variance / 2) * eps
                w = [sum(MEASURES[constraint](z[BLOCK * n : BLOCK * (n + 1)])) for n in range(K)]
                votes[i, np.argmin(w)] += 1
                for n in range(K):
                    absent = z.copy()
                    absent[BLOCK * n : BLOCK * (n + 1)] = 0
                    losses[i, n] += (np.mean((self.decode(absent) - x) ** 2) + kl_weight * kl) / len(noise)
        return losses, votes


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


class TestLatents:
    """Blocks of classes."""

    @pytest.mark.parametrize("constraint", MEASURES)
    def test_presence(self, constraint):
        z = RNG.normal(size=(4, K * BLOCK))
        expected = [[MEASURES[constraint](row[BLOCK * n : BLOCK * (n + 1)]).sum() for n in range(K)] for row in z]
        got = stage_vae.presence(jnp.asarray(z, jnp.float32), K, constraint)
        np.testing.assert_allclose(got, expected, rtol=1e-5)

    def test_without_a_class(self):
        z = np.arange(1.0, 1 + 2 * K * BLOCK).reshape(2, -1)
        got = np.asarray(stage_vae.without(jnp.asarray(z), jnp.array([2, 0]), K))
        assert (got[0, 2 * BLOCK :] == 0).all() and (got[1, :BLOCK] == 0).all()
        np.testing.assert_array_equal(got[0, : 2 * BLOCK], z[0, : 2 * BLOCK])
        np.testing.assert_array_equal(got[1, BLOCK:], z[1, BLOCK:])

    def test_loss(self):
        x, decoded = RNG.normal(size=(2, 5, 8))
        mean, log_variance, z = RNG.normal(size=(3, 5, K * BLOCK))
        predicted = np.array([0, 2, 1, 1, 0])
        total = 0.0
        for i in range(5):
            w = np.array([(z[i, BLOCK * n : BLOCK * (n + 1)] ** 2).sum() for n in range(K)])
            cross_entropy = w[predicted[i]] + np.log(np.exp(-w).sum())
            kl = np.mean((mean[i] ** 2 + np.exp(log_variance[i]) - 1 - log_variance[i]) / 2)
            total += np.mean((decoded[i] - x[i]) ** 2) + 0.5 * kl + 0.005 * cross_entropy
        arrays = (jnp.asarray(part, jnp.float32) for part in (mean, log_variance))
        w = stage_vae.presence(jnp.asarray(z, jnp.float32), K, "square")
        got = stage_vae.loss(jnp.float32(x), jnp.float32(decoded), vae.Encoding(*arrays), w, predicted, 0.005, 0.5)
        np.testing.assert_allclose(got, total / 5, rtol=1e-5)

    def test_nothing_is_learned_through_the_target(self):
        """Else a constant embedding would be the best."""
        code = vae.Encoding(jnp.zeros((1, K * BLOCK)), jnp.zeros((1, K * BLOCK)))
        gradient = jax.grad(stage_vae.loss)(
            jnp.ones((1, 4)), jnp.zeros((1, 4)), code, jnp.zeros((1, K)), jnp.array([0]), 1.0, 1.0
        )
        np.testing.assert_array_equal(gradient, 0.0)


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
