import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import random_features, spectral
from alfamous_jax.models.layers import SpectralDense
from alfamous_jax.models.mlp import ResidualMLP
from alfamous_jax.models.sngp import SNGP, head_mean

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
        kernel = spectral.normalize(params[name]["kernel"], vectors[name]["u"], vectors[name]["v"], 1.0)
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
