"""Residual networks: sizes, a forward pass in NumPy, batch statistics that padding does not touch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from alfamous_jax.networks import _spectral
from alfamous_jax.networks.resnet import ResNet, resnet6, resnet18

pytestmark = pytest.mark.slow


def small():
    return ResNet(stem=3, stem_size=3, widths=(4, 6), depth=1, strides=(1, 2), bound=0.7)


def images(rows, shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(rows, *shape)), jnp.float32)


@pytest.fixture(scope="module")
def trained():
    """A small network after two training calls, so that no statistic is at its start."""
    model, x = small(), images(5, (8, 8, 2))
    variables = model.init(jax.random.key(0), x, train=False)
    call = jax.jit(lambda v: model.apply(v, x, train=True, mutable=["batch_stats", "spectral"])[1])
    for _ in range(2):
        variables = {**variables, **call(variables)}
    return model, variables, x


def size(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    "model, shape, count, widths",
    [
        # Stem, then per block two 3 x 3 kernels and a 1 x 1 shortcut, each with scale and shift of its channels.
        (resnet6(), (28, 28), 150 + 12 + 3264 + 96 + 14336 + 192, (6, 16, 32)),
        (resnet18(), (32, 32, 3), 11_168_832, (64, 64, 128, 256, 512)),  # as published, without the last layer
    ],
    ids=["resnet6", "resnet18"],
)
def test_parameter_counts_and_shapes(model, shape, count, widths):
    x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), x)
    assert size(variables["params"]) == count
    features, stages = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, x)
    assert features.shape == (2, widths[-1]) and [stage.shape for stage in stages] == [(2, width) for width in widths]


def convolve(x, kernel, stride):
    """[height, width, channels], odd kernels, zeros outside."""
    pad = kernel.shape[0] // 2
    x = np.pad(x, [(pad, pad), (pad, pad), (0, 0)])
    out = [
        sum(scipy.signal.correlate(x[..., i], kernel[..., i, j], mode="valid") for i in range(kernel.shape[2]))
        for j in range(kernel.shape[3])
    ]
    return np.stack(out, axis=-1)[::stride, ::stride]


def test_forward_pass_in_numpy(trained):
    model, variables, x = trained
    params, stats, vectors = (jax.tree.map(np.float64, variables[k]) for k in ("params", "batch_stats", "spectral"))

    def norm(h, weights, stats):
        return (h - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * weights["scale"] + weights["bias"]

    def spectral_convolve(h, block, index, stride):
        name = f"SpectralConv_{index}"
        kernel, pair = params[block][name]["kernel"], vectors[block][name]
        sigma = np.vdot(pair["u"][0], convolve(pair["v"][0], kernel, stride))
        kernel = kernel * min(1, 0.7 / sigma)
        assert sigma > 0.7, "the bound should bind in this test"
        norm_name = f"BatchNorm_{index}"
        return norm(convolve(h, kernel, stride), params[block][norm_name], stats[block][norm_name])

    for row, got in zip(np.float64(x), model.apply(variables, x, train=False)[0], strict=True):
        h = convolve(row, params["SpectralConv_0"]["kernel"], 1)
        h = np.maximum(norm(h, params["BatchNorm_0"], stats["BatchNorm_0"]), 0)
        for block, stride in (("BasicBlock_0", 1), ("BasicBlock_1", 2)):
            inner = np.maximum(spectral_convolve(h, block, 0, stride), 0)
            h = np.maximum(spectral_convolve(inner, block, 1, 1) + spectral_convolve(h, block, 2, stride), 0)
        np.testing.assert_allclose(got, h.mean(axis=(0, 1)), atol=1e-4)


def test_padding_leaves_batch_statistics_alone(trained):
    model, variables, x = trained
    junk = jnp.concatenate([x, 1e3 * images(3, (8, 8, 2), seed=1)])
    mask = jnp.arange(8) < 5
    moving = ["batch_stats", "spectral"]
    (features, _), moved = model.apply(variables, x, train=True, mutable=moving)
    (padded, _), padded_moved = model.apply(variables, junk, train=True, mask=mask, mutable=moving)
    np.testing.assert_allclose(padded[:5], features, atol=1e-4)
    for a, b in zip(jax.tree.leaves(moved), jax.tree.leaves(padded_moved), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    unmasked = model.apply(variables, junk, train=True, mutable=moving)[1]
    assert (
        jnp.abs(unmasked["batch_stats"]["BatchNorm_0"]["mean"] - moved["batch_stats"]["BatchNorm_0"]["mean"]).max() > 1
    )


def test_vmap_keeps_batch_statistics_apart(trained):
    model, variables, x = trained
    both = jnp.stack([x, 2 * x + 1])
    masks = jnp.stack([jnp.arange(5) < 5, jnp.arange(5) < 3])

    def call(x, mask):
        return model.apply(variables, x, train=True, mask=mask, mutable=["batch_stats", "spectral"])

    (together, _), moved = jax.vmap(call)(both, masks)
    for i in range(2):
        (alone, _), moved_alone = call(both[i], masks[i])
        np.testing.assert_allclose(together[i][masks[i]], alone[masks[i]], atol=1e-4)
        for a, b in zip(jax.tree.leaves(moved_alone), jax.tree.leaves(moved), strict=True):
            np.testing.assert_allclose(a, b[i], atol=1e-5)


def test_another_image_size_is_refused(trained):
    model, variables, _ = trained
    with pytest.raises(ValueError, match=r"initialised with inputs \(8, 8, 3\), got \(9, 8, 3\)"):
        model.apply(variables, images(1, (9, 8, 2)), train=False)


def test_every_block_is_bounded(trained):
    """Each normalised kernel as an operator, unrolled, against the bound."""
    model, variables, x = trained
    call = jax.jit(lambda v: model.apply(v, x, train=True, mutable=["batch_stats", "spectral"])[1])
    for _ in range(300):
        variables = {**variables, **call(variables)}
    for block, stride in (("BasicBlock_0", 1), ("BasicBlock_1", 2)):
        kernel = variables["params"][block]["SpectralConv_0"]["kernel"]
        pair = variables["spectral"][block]["SpectralConv_0"]

        def operator(v, kernel=kernel, stride=stride):
            return _spectral.convolve(v, kernel, (stride, stride), ((1, 1), (1, 1)), (1, 1))

        shape = pair["v"].shape
        basis = jnp.eye(np.prod(shape)).reshape(-1, *shape[1:])
        shrunk = _spectral.shrink(kernel, _spectral.operator_norm(operator, pair["u"], pair["v"]), 0.7)
        matrix = np.asarray(operator(basis, kernel=shrunk)).reshape(len(basis), -1)
        np.testing.assert_allclose(np.linalg.svd(matrix, compute_uv=False)[0], 0.7, rtol=1e-3)
