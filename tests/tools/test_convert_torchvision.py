"""torchvision's ResNets under this project's names: every array has its place, and the forward pass is the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from alfamous_jax.networks.linear import Linear
from alfamous_jax.networks.resnet import resnet18, resnet34
from experiments.learning import sources
from tools import convert_torchvision

NETWORKS = {"resnet18": resnet18, "resnet34": resnet34}


def state_of(network, num_classes=7, seed=0):
    """Random weights under torchvision's names, in its shapes."""
    rng, widths = np.random.default_rng(seed), (64, 64, 128, 256, 512)
    shapes = {"conv1": (64, 3, 7, 7)}
    for stage, depth in enumerate(convert_torchvision.DEPTHS[network], start=1):
        for block in range(depth):
            inputs = widths[stage - 1] if block == 0 else widths[stage]
            shapes[f"layer{stage}.{block}.conv1"] = (widths[stage], inputs, 3, 3)
            shapes[f"layer{stage}.{block}.conv2"] = (widths[stage], widths[stage], 3, 3)
            if block == 0 and stage > 1:
                shapes[f"layer{stage}.0.downsample.0"] = (widths[stage], inputs, 1, 1)
    state = {"fc.weight": rng.normal(size=(num_classes, 512)), "fc.bias": rng.normal(size=num_classes)}
    for name, shape in shapes.items():
        bn = name.replace("downsample.0", "downsample.1").replace("conv", "bn")
        state[f"{name}.weight"] = rng.normal(size=shape) * np.prod(shape[1:]) ** -0.5
        state |= {f"{bn}.{kind}": rng.normal(size=shape[0]) for kind in ("weight", "bias", "running_mean")}
        state[f"{bn}.running_var"] = rng.uniform(0.5, 2.0, shape[0])
        state[f"{bn}.num_batches_tracked"] = np.array(3)
    return state


@pytest.mark.parametrize("network", NETWORKS)
def test_every_array_has_its_place(network):
    arrays = convert_torchvision.convert(state_of(network), network)
    model = Linear(NETWORKS[network](None, imagenet=True), 7)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    wanted = {name: leaf.shape for name, leaf in traverse_util.flatten_dict(shapes, sep="/").items()}
    assert {name: array.shape[1:] for name, array in arrays.items()} == wanted
    assert all(len(array) == 1 and array.dtype == np.float32 for array in arrays.values())


def test_weights_of_another_network_are_refused():
    state = state_of("resnet18")
    with pytest.raises(ValueError, match="the weights lack layer1.2.conv1.weight"):
        convert_torchvision.convert(state, "resnet34")
    with pytest.raises(ValueError, match="resnet18 has 102 arrays, the weights 182"):
        convert_torchvision.convert(state_of("resnet34"), "resnet18")


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_the_forward_pass_is_that_of_torchvision(network, tmp_path, monkeypatch):
    """By way of the file and of what reads it; random weights and statistics."""
    torch, models = pytest.importorskip("torch"), pytest.importorskip("torchvision.models")
    theirs = models.get_model(network, weights=None, num_classes=7)
    given = {name: np.float32(array) for name, array in state_of(network, seed=1).items()}
    theirs.load_state_dict(
        {
            name: torch.tensor(array).long() if "tracked" in name else torch.tensor(array)
            for name, array in given.items()
        }
    )
    theirs.eval()
    monkeypatch.setattr(convert_torchvision, "pretrained", lambda name: given)
    assert convert_torchvision.main([network, str(tmp_path / "weights.npz")]) == 0
    x = np.random.default_rng(2).normal(size=(2, 65, 80, 3)).astype(np.float32)  # odd, so that padding has its say
    source = sources.load(tmp_path / "weights.npz", NETWORKS[network](None, imagenet=True), jnp.asarray(x[:1]))
    one = jax.tree.map(lambda leaf: leaf[-1], source.variables)
    with torch.inference_mode():
        wanted = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    got = np.asarray(source.model.apply(one, jnp.asarray(x)).logits)
    np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-4 * np.abs(wanted).max())


def test_the_command_says_what_it_lacks(tmp_path, capsys):
    assert convert_torchvision.main(["resnet18", str(tmp_path / "absent" / "x.npz")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and len(said.splitlines()) == 1 and not list(tmp_path.iterdir())
