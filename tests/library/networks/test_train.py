from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from alfamous_jax.networks import train
from alfamous_jax.networks.mlp import ResidualMLP
from alfamous_jax.networks.resnet import ResNet
from alfamous_jax.networks.sngp import SNGP, Outputs, head_mean
from alfamous_jax.networks.tcn import TCN

pytestmark = pytest.mark.slow

SMALL_RESNET = ResNet(stem=2, stem_size=3, widths=(3,), depth=1, strides=(2,))
RATE, MOMENTUM, DECAY, EPOCHS = 0.1, 0.9, 0.01, 3


class Linear(nn.Module):
    """A softmax regression, small enough to train by hand."""

    num_classes: int = 3

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        logits = nn.Dense(self.num_classes, name="head")(x)
        return Outputs(logits, x, x, ())


def make(model, *, batch_size, epochs=EPOCHS, optimizer="sgd", decay=DECAY):
    return partial(
        train.fit,
        model=model,
        optimizer=train.direction(optimizer, momentum=MOMENTUM, weight_decay=decay),
        schedule=optax.cosine_decay_schedule(RATE, epochs),
        epochs=epochs,
        batch_size=batch_size,
    )


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 4)).astype(np.float32), rng.integers(0, 3, 20).astype(np.int32)


def oracle(x, y, kernel, bias, epochs):
    """Full-batch Nesterov SGD with cosine rate and weight decay, in float64."""
    kernel, bias = kernel.astype(np.float64), bias.astype(np.float64)
    trace = [np.zeros_like(kernel), np.zeros_like(bias)]
    for epoch in range(epochs):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        logits = x @ kernel + bias
        probs = np.exp(logits - logits.max(1, keepdims=True))
        probs /= probs.sum(1, keepdims=True)
        error = (probs - np.eye(3)[y]) / len(y)
        grads = [x.T @ error + DECAY * kernel, error.sum(0) + DECAY * bias]
        trace = [g + MOMENTUM * t for g, t in zip(grads, trace, strict=True)]
        kernel = kernel - rate * (grads[0] + MOMENTUM * trace[0])
        bias = bias - rate * (grads[1] + MOMENTUM * trace[1])
    return kernel, bias


def test_the_rate_falls_where_the_loss_stays(data):
    """Against float64: a rate too large, a tenth of it whenever 3 epochs have not lowered the loss."""
    x, y = data
    rate, epochs, patience = 5.0, 20, 3
    model, indices, count = Linear(), jnp.arange(20), jnp.int32(20)
    start = model.init(jax.random.key(0), x)
    kernel, bias = (np.asarray(start["params"]["head"][name], float) for name in ("kernel", "bias"))
    best, waited, scale, falls, losses = np.inf, 0, 1.0, [], []
    for epoch in range(epochs):
        logits = x @ kernel + bias
        shifted = logits - logits.max(1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        loss = -log_probs[np.arange(20), y].mean()
        error = (np.exp(log_probs) - np.eye(3)[y]) / 20
        kernel, bias = kernel - rate * scale * x.T @ error, bias - rate * scale * error.sum(0)
        losses.append(loss)
        best, waited = (loss, 0) if loss < (1 - 1e-4) * best else (best, waited + 1)
        if waited == patience:
            scale, waited, falls = scale / 10, 0, [*falls, epoch]
    assert len(falls) >= 2 and falls[0] > patience, "it learns first, then stays where it is"
    trained, info = train.fit(
        jax.random.key(1), start, x, y, indices, count, model=model, batch_size=20, epochs=epochs,
        optimizer=train.direction("sgd", momentum=0.0), schedule=optax.constant_schedule(rate),
        plateau=optax.contrib.reduce_on_plateau(0.1, patience),
    )  # fmt: skip
    np.testing.assert_allclose(info.loss, losses, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(trained["params"]["head"]["kernel"], kernel, rtol=1e-3, atol=1e-3)


def test_snapshots_are_the_training_so_far(data):
    """Of one batch an epoch, so that its order is no matter; the last one is the end."""
    x, y = data
    model, indices, count = Linear(), jnp.arange(20), jnp.int32(20)
    start = model.init(jax.random.key(0), x)
    whole = make(model, batch_size=20, epochs=6)
    stacked, info = whole(jax.random.key(1), start, x, y, indices, count, num_snapshots=3)
    last, plain = whole(jax.random.key(1), start, x, y, indices, count)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[-1], b, atol=1e-6), stacked, last)
    np.testing.assert_allclose(info.loss, plain.loss, atol=1e-6)
    schedule = optax.cosine_decay_schedule(RATE, 6)
    for i, epochs in enumerate((2, 4)):
        early, _ = whole(jax.random.key(2), start, x, y, indices, count, epochs=epochs, schedule=schedule)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, atol=1e-6), stacked, early)
    with pytest.raises(ValueError, match="num_snapshots must divide the 6 epochs, got 4"):
        whole(jax.random.key(1), start, x, y, indices, count, num_snapshots=4)


@pytest.mark.parametrize("padding", [0, 5], ids=["exact", "padded"])
def test_full_batch_matches_oracle(data, padding):
    x, y = data
    rows = np.array([3, 7, 1, 12, 19, 4])
    indices = jnp.asarray(np.concatenate([rows, np.zeros(padding, int)]))
    start = Linear().init(jax.random.key(0), x[:1])
    fitted, info = make(Linear(), batch_size=16)(jax.random.key(1), start, x, y, indices, jnp.int32(6))
    head = start["params"]["head"]
    kernel, bias = oracle(x[rows], y[rows], np.asarray(head["kernel"]), np.asarray(head["bias"]), EPOCHS)
    np.testing.assert_allclose(fitted["params"]["head"]["kernel"], kernel, atol=2e-6)
    np.testing.assert_allclose(fitted["params"]["head"]["bias"], bias, atol=2e-6)
    assert info.num_steps == EPOCHS


@pytest.mark.parametrize("count", [1, 4, 6, 8, 9])
def test_each_row_once_an_epoch(count):
    """With a rate of nearly 0 the mean loss of an epoch is that of the start, whatever the batches."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 4)).astype(np.float32), rng.integers(0, 3, 9).astype(np.int32)
    start = Linear().init(jax.random.key(0), x[:1])
    fit = partial(
        train.fit, model=Linear(), optimizer=train.direction("sgd"), schedule=lambda epoch: 0.0, epochs=2, batch_size=4
    )
    _, info = fit(jax.random.key(1), start, x, y, jnp.arange(9), jnp.int32(count))
    logits = Linear().apply(start, x[:count]).logits
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, y[:count]).mean()
    np.testing.assert_allclose(info.loss, expected, rtol=1e-5)
    assert info.num_steps == 2 * -(-count // 4)


def test_shuffle_keeps_padding_last():
    orders = [np.asarray(train.shuffle(jax.random.key(seed), 10, 6)) for seed in range(20)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order[:6]), np.arange(6))
        np.testing.assert_array_equal(order[6:], np.arange(6, 10))
    firsts = {int(order[0]) for order in orders}
    assert len(firsts) > 3


def test_one_compilation_for_every_count(data):
    x, y = data
    start = Linear().init(jax.random.key(0), x[:1])
    fit = jax.jit(make(Linear(), batch_size=4))
    for count in (1, 5, 16):
        fit(jax.random.key(count), start, x, y, jnp.arange(16), jnp.int32(count))
    assert fit._cache_size() == 1


def test_vmap_over_seeds_equals_a_loop(data):
    x, y = data
    model = SNGP(ResidualMLP(8, 1), num_classes=3, num_features=16)
    fit = make(model, batch_size=4)
    keys = jax.random.split(jax.random.key(0), 3)
    starts = [model.init(key, x[:1]) for key in keys]
    indices = jnp.asarray(np.stack([np.random.default_rng(i).permutation(20)[:10] for i in range(3)]))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    together, _ = jax.vmap(fit, in_axes=(0, 0, None, None, 0, None))(keys, stacked, x, y, indices, jnp.int32(9))
    for i in range(3):
        alone, _ = fit(keys[i], starts[i], x, y, indices[i], jnp.int32(9))
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[i], atol=2e-5)


def test_training_learns_and_leaves_random_features_alone(data):
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 60).astype(np.int32)
    x = (rng.normal(size=(60, 4)) + 3 * np.eye(3, 4)[y]).astype(np.float32)
    model = SNGP(ResidualMLP(16, 2), num_classes=3, num_features=64)
    start = model.init(jax.random.key(0), x[:1])
    fit = make(model, batch_size=8, epochs=20, optimizer="adam", decay=0.0)
    fitted, info = fit(jax.random.key(1), start, x, y, jnp.arange(60), jnp.int32(60))
    scores = train.evaluate(fitted, x, y, model=model, num_classes=3)
    assert scores.accuracy > 0.9 and scores.macro_f1 > 0.9 and info.loss[-1] < info.loss[0]
    for a, b in zip(*(jax.tree.leaves(v["random_features"]) for v in (start, fitted)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert head_mean(fitted).shape == (3, 64)


@pytest.mark.parametrize(
    "backbone, shape",
    [
        pytest.param(TCN(4, 2), (11,), id="tcn"),
        pytest.param(SMALL_RESNET, (6, 6), id="resnet", marks=pytest.mark.exhaustive),
    ],
)
def test_other_backbones_train_under_vmap_as_alone(backbone, shape):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, *shape)).astype(np.float32), rng.integers(0, 3, 20).astype(np.int32)
    model = SNGP(backbone, num_classes=3, num_features=16)
    fit = make(model, batch_size=4, epochs=2)
    keys, start = jax.random.split(jax.random.key(0), 2), model.init(jax.random.key(1), x[:1])
    indices = jnp.asarray(np.stack([rng.permutation(20)[:10] for _ in keys]))
    together, _ = jax.vmap(fit, in_axes=(0, None, None, None, 0, None))(keys, start, x, y, indices, jnp.int32(9))
    for i, key in enumerate(keys):
        alone, _ = fit(key, start, x, y, indices[i], jnp.int32(9))
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[i], atol=1e-4)


def test_padding_rows_do_not_reach_batch_statistics():
    """The last batch holds one row and three of padding; junk in the padding changes nothing."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(6, 6, 6)).astype(np.float32), rng.integers(0, 3, 6).astype(np.int32)
    x[5] *= 1e3
    model = SNGP(SMALL_RESNET, num_classes=3, num_features=16)
    start = model.init(jax.random.key(0), x[:1])
    fit = partial(make(model, batch_size=4, epochs=2), jax.random.key(1), start)
    fitted, _ = fit(x, y, jnp.arange(6), jnp.int32(5))
    x[5] = 0
    again, _ = fit(x, y, jnp.arange(6), jnp.int32(5))
    for a, b in zip(jax.tree.leaves(fitted), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()


def test_augmentation_sees_every_batch_with_a_key_of_its_own(data):
    """Inputs replaced by what the key draws: the fit is that of a softmax regression on noise, which it learns from."""
    x, y = data
    start = Linear().init(jax.random.key(0), x[:1])
    fit = make(Linear(), batch_size=4)
    plain, _ = fit(jax.random.key(1), start, x, y, jnp.arange(10), jnp.int32(9))
    ways = {
        "noise": lambda key, batch: batch + jax.random.normal(key, batch.shape),
        "constant": lambda key, batch: jnp.zeros_like(batch),
        "none": lambda key, batch: batch,
    }
    kernels = {
        name: fit(jax.random.key(1), start, x, y, jnp.arange(10), jnp.int32(9), augment=way)[0]["params"]["head"]
        for name, way in ways.items()
    }
    decayed = fit(jax.random.key(1), start, 0 * x, y, jnp.arange(10), jnp.int32(9))[0]["params"]["head"]
    np.testing.assert_allclose(kernels["constant"]["kernel"], decayed["kernel"], atol=1e-6)
    assert jnp.abs(kernels["noise"]["kernel"] - kernels["none"]["kernel"]).max() > 1e-3
    assert plain["params"]["head"]["kernel"].shape == kernels["none"]["kernel"].shape


@pytest.mark.parametrize("num, chunk", [(7, 10), (10, 10), (23, 10), (21, 7), (1, 1)])
def test_chunks_give_what_the_whole_gives(num, chunk):
    rows = jnp.arange(num)
    whole = train.in_chunks(lambda r: {"twice": 2 * r, "pair": jnp.stack([r, -r], axis=1)}, rows, chunk)
    np.testing.assert_array_equal(whole["twice"], 2 * np.arange(num))
    np.testing.assert_array_equal(whole["pair"], np.stack([np.arange(num), -np.arange(num)], axis=1))


def test_chunks_bound_what_is_held():
    seen = []
    train.in_chunks(lambda r: seen.append(r.shape) or r, jnp.zeros((23, 4)), 10)
    assert set(seen) == {(8, 4)}


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="'sgd' or 'adam', got 'rmsprop'"):
        train.direction("rmsprop")
