from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import oracles
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from alfamous_jax import acquisition
from alfamous_jax.networks import _spectral, random_features, train
from alfamous_jax.networks.layers import SpectralDense
from alfamous_jax.networks.linear import Identity, Linear
from alfamous_jax.networks.mlp import ResidualMLP
from alfamous_jax.networks.resnet import ResNet
from alfamous_jax.networks.sngp import SNGP, head_mean
from alfamous_jax.networks.tcn import TCN

pytestmark = pytest.mark.slow

LETTER = SNGP(ResidualMLP(128, 2, bound=1.0), num_classes=26, num_features=1024, kernel_scale=8.0)


@pytest.fixture(scope="module")
def variables():
    return LETTER.init(jax.random.key(0), jnp.zeros((1, 16)))


def test_parameter_count_and_shapes(variables):
    trained = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert trained == 16 * 128 + 128 + 2 * (128 * 128 + 128) + 1024 * 26
    outputs = LETTER.apply(variables, jnp.ones((5, 16)))
    assert outputs.logits.shape == (5, 26) and outputs.phi.shape == (5, 1024) and outputs.features.shape == (5, 128)
    assert [stage.shape for stage in outputs.stages] == [(5, 128)] * 3


def test_forward_pass_from_its_parts(variables):
    x = np.random.default_rng(0).normal(size=(7, 16)).astype(np.float32)
    params, vectors = variables["params"]["backbone"], variables["spectral"]["backbone"]
    h = np.maximum(x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"], 0)
    for name in ("SpectralDense_0", "SpectralDense_1"):
        kernel = _spectral.normalize(params[name]["kernel"], vectors[name]["u"], vectors[name]["v"], 1.0)
        h = np.maximum(h @ kernel + params[name]["bias"], 0) + h
    phi = random_features.apply(variables["random_features"]["draws"], h, 8.0)
    outputs = LETTER.apply(variables, x)
    np.testing.assert_allclose(outputs.features, h, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs.phi, phi, atol=1e-5)
    np.testing.assert_allclose(outputs.logits, outputs.phi @ head_mean(variables).T, atol=1e-5)


def test_training_calls_move_the_singular_vectors_and_evaluation_does_not():
    layer = SpectralDense(6, bound=0.5)
    start = layer.init(jax.random.key(1), jnp.zeros((1, 9)), train=False)
    moving = start
    for _ in range(200):
        _, moved = layer.apply(moving, jnp.zeros((1, 9)), train=True, mutable=["spectral"])
        moving = {**moving, **moved}
    kernel = np.asarray(start["params"]["kernel"])
    sigma = moving["spectral"]["v"] @ kernel @ moving["spectral"]["u"]
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    np.testing.assert_allclose(sigma, largest, rtol=1e-4)
    out = layer.apply(moving, jnp.eye(9), train=False) - start["params"]["bias"]
    np.testing.assert_allclose(np.linalg.svd(out, compute_uv=False)[0], 0.5, rtol=1e-3)
    assert largest > 0.5
    again = layer.apply(moving, jnp.eye(9), train=False) - start["params"]["bias"]
    np.testing.assert_array_equal(out, again)


def test_images_are_flattened():
    model = SNGP(ResidualMLP(8, 1), num_classes=3, num_features=16)
    images = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
    start = model.init(jax.random.key(0), images)
    np.testing.assert_array_equal(model.apply(start, images).phi, model.apply(start, images.reshape(4, 30)).phi)


class TestLinear:
    """A linear head over features that are given."""

    def test_logits_from_its_parts(self):
        x = np.random.default_rng(2).normal(size=(6, 3, 2)).astype(np.float32)
        model = Linear(Identity(), num_classes=4)
        variables = model.init(jax.random.key(0), x)
        kernel = np.random.default_rng(3).normal(size=(7, 4)).astype(np.float32)
        variables = {"params": {"head": {"kernel": kernel}}}
        outputs = model.apply(variables, x)
        np.testing.assert_array_equal(outputs.features, x.reshape(6, 6))
        np.testing.assert_allclose(outputs.logits, x.reshape(6, 6) @ kernel[:6] + kernel[6], atol=1e-5)
        np.testing.assert_array_equal(outputs.phi @ head_mean(variables).T, outputs.logits)

    def test_trains_to_the_solution_of_logistic_regression(self):
        """The same optimum as scikit-learn's with the bias as one more feature."""
        digits = load_digits()
        x = StandardScaler().fit_transform(digits.data[:400]).astype(np.float32)
        y = digits.target[:400]
        model, decay = Linear(Identity(), num_classes=10), 0.01
        settings = {"optimizer": train.direction("sgd", weight_decay=decay), "schedule": optax.constant_schedule(0.1)}
        start = model.init(jax.random.key(0), x)
        everything = jnp.arange(400), jnp.int32(400)
        fitted, _ = train.fit(
            jax.random.key(1), start, x, y, *everything, model=model, epochs=600, batch_size=400, **settings
        )
        extended = np.hstack([x, np.ones((400, 1))])
        expected = LogisticRegression(C=1 / (decay * 400), tol=1e-8, max_iter=5000, fit_intercept=False)
        probs = jax.nn.softmax(model.apply(fitted, x).logits)
        np.testing.assert_allclose(probs, expected.fit(extended, y).predict_proba(extended), atol=1e-4)


BACKBONES = {
    "identity": (Identity(0.5), (6,)),
    "mlp": (ResidualMLP(8, 2, dropout=0.5), (6,)),
    "tcn": (TCN(4, 2, dropout=0.5), (9,)),
    "resnet": (ResNet(4, 3, (4, 8), 1, (1, 2), dropout=0.5), (6, 6)),
}


@pytest.mark.parametrize("backbone, shape", BACKBONES.values(), ids=BACKBONES)
class TestDropout:
    """Masks are drawn where the stream `dropout` is given, and are of the weights outside of training."""

    def model(self, backbone, shape):
        x = np.tile(np.random.default_rng(4).normal(size=(1, *shape)), (5, *(1,) * len(shape))).astype(np.float32)
        model = Linear(backbone, 3)
        variables = model.init(jax.random.key(0), x)
        return x, lambda train=False, **kw: model.apply(variables, x, train, mutable=["batch_stats", "spectral"], **kw)[
            0
        ]

    def test_one_mask_for_all_rows_outside_training(self, backbone, shape):
        _, apply = self.model(backbone, shape)
        draws = [np.asarray(apply(rngs={"dropout": jax.random.key(seed)}).features) for seed in range(4)]
        for draw in draws:
            np.testing.assert_allclose(draw, np.broadcast_to(draw[:1], draw.shape), atol=1e-6)
        assert any(np.abs(draws[0] - draw).max() > 1e-3 for draw in draws[1:])
        plain = apply().features
        np.testing.assert_array_equal(plain, apply().features)

    def test_a_mask_for_each_row_in_training(self, backbone, shape):
        _, apply = self.model(backbone, shape)
        features = np.asarray(apply(True, rngs={"dropout": jax.random.key(0)}).features)
        assert np.abs(features - features[:1]).max() > 1e-3


def test_mc_dropout_keeps_its_masks_from_chunk_to_chunk():
    """The same draws for all rows, however many there are: a row's probabilities do not depend on the others."""
    x = np.random.default_rng(5).normal(size=(2 * train.CHUNK + 3, 6)).astype(np.float32)
    model = SNGP(ResidualMLP(8, 2, dropout=0.5), 3, num_features=16)
    variables = model.init(jax.random.key(0), x[:1])
    rows = jnp.arange(len(x))
    draw = partial(train.mc_dropout, jax.random.key(1), variables, x, model=model, num_samples=7)
    whole, some = draw(rows), draw(rows[-4:])
    assert whole.shape == (7, len(x), 3)
    np.testing.assert_allclose(whole[:, -4:], some, atol=1e-6)
    np.testing.assert_allclose(whole.sum(-1), 1.0, atol=1e-5)
    assert np.ptp(np.asarray(whole[:, 0]), axis=0).max() > 1e-3


def test_dropout_bald_from_loops_over_masks():
    """Each draw drops the same features of all rows and doubles the rest; BALD of these in float64."""
    rng = np.random.default_rng(6)
    x, kernel = rng.normal(size=(9, 6)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)
    model, variables = Linear(Identity(0.5), 3), {"params": {"head": {"kernel": kernel}}}
    draws = train.mc_dropout(jax.random.key(2), variables, x, jnp.arange(9), model=model, num_samples=8)
    expected = []
    for key in jax.random.split(jax.random.key(2), 8):
        features = np.asarray(model.apply(variables, x, rngs={"dropout": key}).features)
        kept = (features != 0).all(axis=0)
        np.testing.assert_array_equal(features, np.where(kept, 2 * x, 0.0))
        expected.append(oracles.softmax(features.astype(float) @ kernel[:6] + kernel[6]))
    np.testing.assert_allclose(draws, expected, atol=1e-6)
    np.testing.assert_allclose(acquisition.bald(draws), oracles.bald(np.array(expected))[0], atol=1e-6)
