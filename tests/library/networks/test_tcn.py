"""The temporal network: sizes, a forward pass in NumPy, causality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.networks.tcn import TCN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    model = TCN(width=4, depth=3, bound=0.6)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 20)), jnp.float32)
    variables = model.init(jax.random.key(0), x, train=False)
    for _ in range(3):
        variables = {**variables, **model.apply(variables, x, train=True, mutable=["spectral"])[1]}
    return model, variables, x


def test_parameter_count_and_shapes():
    model = TCN()
    x = jax.ShapeDtypeStruct((2, 46), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), x)
    first, rest = 3 * 64 + 64 + 3 * 64 * 64 + 64 + 64 + 64, 2 * (3 * 64 * 64 + 64)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == first + 2 * rest
    features, stages = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, x)
    assert features.shape == (2, 64) and [stage.shape for stage in stages] == [(2, 64)] * 3


def causal(x, kernel, dilation):
    """[time, in] by [size, in, out]: the last tap looks at now, the others `dilation` steps back each."""
    out = np.zeros((len(x), kernel.shape[-1]))
    for time in range(len(x)):
        for tap in range(len(kernel)):
            back = time - (len(kernel) - 1 - tap) * dilation
            out[time] += x[back] @ kernel[tap] if back >= 0 else 0.0
    return out


def test_forward_pass_in_numpy(network):
    model, variables, x = network
    params, vectors = (jax.tree.map(np.float64, variables[k]) for k in ("params", "spectral"))
    layers = iter(range(7))

    def convolve(h, dilation):
        name = f"SpectralConv_{next(layers)}"
        kernel = params[name]["kernel"]
        sigma = np.vdot(vectors[name]["u"][0], causal(vectors[name]["v"][0], kernel, dilation))
        return causal(h, kernel * min(1, 0.6 / sigma), dilation) + params[name]["bias"]

    h = np.float64(x[1])[:, None]
    expected = []
    for block in range(3):
        moved = convolve(np.maximum(convolve(h, 2**block), 0), 2**block)
        h = np.maximum(moved + (convolve(h, 1) if block == 0 else h), 0)
        expected.append(h.mean(axis=0))
    features, stages = model.apply(variables, x, train=False)
    np.testing.assert_allclose(features[1], expected[-1], atol=1e-5)
    for got, wanted in zip(stages, expected, strict=True):
        np.testing.assert_allclose(got[1], wanted, atol=1e-5)
    with pytest.raises(StopIteration):
        next(layers)


def test_nothing_looks_ahead():
    model, x = TCN(width=8), jnp.asarray(np.random.default_rng(1).normal(size=(3, 20)), jnp.float32)
    variables = model.init(jax.random.key(1), x, train=False)

    def outputs(x):
        _, state = model.apply(variables, x, train=False, capture_intermediates=True)
        return [out for name, layer in state["intermediates"].items() if "Conv" in name for out in layer["__call__"]]

    before, after = outputs(x), outputs(x.at[:, 11].add(1.0))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a[:, :11], b[:, :11])
        assert jnp.abs(a[:, 11:] - b[:, 11:]).max() > 1e-4


def test_channels_are_taken(network):
    model = TCN(width=4, depth=1)
    x = jnp.ones((2, 9, 3))
    assert model.apply(model.init(jax.random.key(0), x, train=False), x, train=False)[0].shape == (2, 4)
