"""Everything that the driver compiles is served by GPUs and TPUs: two lanes of each lowered for both, nothing compiled.

Lowering is where an operation that a platform lacks is refused. A call of Python or a float64 would show in the text.
"""

from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from experiments.learning import active, methods, problem
from experiments.learning.programs import Labelled, build_programs
from experiments.plan.strategies import parse

pytestmark = pytest.mark.slow

LANES, K = 2, 4
BACKBONES = {
    "mlp": (6,),
    "identity": (6,),
    "resnet6": (8, 8),
    "resnet18": (8, 8),
    "resnet18-imagenet": (16, 16),
    "tcn": (12,),
}  # and the shape of a row


@pytest.fixture(scope="module", autouse=True)
def networks_of_zeros():
    """Weights by their shapes alone: drawing those of a ResNet compiles for half a minute."""
    init = nn.Module.init

    def zeros(self, *arguments):
        shapes = jax.eval_shape(lambda *x: init(self, *x), *arguments)
        return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)

    with mock.patch.object(nn.Module, "init", zeros):
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    rng, paths = np.random.default_rng(0), {}
    for backbone, shape in BACKBONES.items():
        arrays = {}
        for part, count in (("train", 64), ("test", 16)):
            arrays[f"y_{part}"] = np.arange(count) % K
            arrays[f"x_{part}"] = rng.integers(0, 255, (count, *shape)).astype(np.float32)
        paths[backbone] = str(tmp_path_factory.mktemp("data") / f"{backbone}.npz")
        np.savez(paths[backbone], **arrays)
    return paths


def steps(path, strategy, scheme="network", **changes):
    """The programs of a config and what they are called with."""
    asked = {"dataset": path, "num_classes": K, "minority_share": 0.0, "initial": 8, "spectral_bound": 0.0}
    config = FrozenConfigDict(tiny(**asked, scheme=scheme, strategies=(strategy,), **changes))
    task = problem.build_problem(config, list(range(LANES)))
    programs = build_programs(config, parse(strategy).program(scheme), LANES)
    key = jax.random.split(jax.random.key(0), LANES)
    known = Labelled(task.data, task.pool, jnp.zeros((LANES, 12), jnp.int32), jnp.int32(8))
    start, counts = task.variables[active.kind_of(scheme)], jnp.full((LANES, K), 2, jnp.int32)
    pool = key, start, known, task.available, counts  # what is trained has the shapes that it starts with
    return {
        "train": (programs.train, (key, start, known)),
        "evaluate": (programs.evaluate, (start, known, counts)),
        "query": (programs.query, (*pool, jnp.full(LANES, 0.3))),
        "choose_lambda": (programs.choose_lambda, pool),
        "cross_validate": (programs.cross_validate, (key, start, known)),
    }


def assert_served(step):
    """Lowers for a GPU and a TPU at once, which refuses calls of Python by itself."""
    function, arguments = step
    text = function.trace(*arguments).lower(lowering_platforms=("cuda", "tpu")).as_text()
    assert "stablehlo" in text
    assert "f64" not in text and "callback" not in text


def distinct():
    """Every base there is, with updates and without: the other forms are other numbers."""
    found = {}
    for name in methods.names():
        strategy = parse(name)
        found.setdefault((methods.method_of(strategy).pick, strategy.base, strategy.updates), name)
    return list(found.values())


@pytest.mark.parametrize("strategy", distinct())
def test_queries(files, strategy):
    assert_served(steps(files["mlp"], strategy, backbone="mlp", dropout=0.25, vae_steps=2)["query"])


ALIKE = pytest.param("resnet18", marks=pytest.mark.exhaustive)  # but for its stem as ImageNet's


@pytest.mark.parametrize("backbone", [ALIKE if name == "resnet18" else name for name in BACKBONES])
def test_training_and_scores(files, backbone):
    of_backbone = steps(files[backbone], "us", backbone=backbone, augment="affine" if backbone == "resnet6" else "none")
    for name in ("train", "evaluate"):
        assert_served(of_backbone[name])


@pytest.mark.parametrize("scheme", ["svm", "cs-svm", "network-th"])
def test_schemes(files, scheme):
    of_scheme = steps(files["identity"], "random", scheme, backbone="identity", head="linear")
    for name in ("train", "evaluate", "query", "cross_validate"):
        assert_served(of_scheme[name])


@pytest.mark.parametrize("changes", [{"head": "map", "ridge": "auto"}, {"refit": True, "ridge": "auto"}], ids=str)
def test_exact_heads_and_the_choice_of_lambda(files, changes):
    of_head = steps(files["mlp"], "us-cb", backbone="identity" if "head" in changes else "mlp", **changes)
    for name in ("train", "query", "choose_lambda"):
        assert_served(of_head[name])


def test_a_callback_or_a_float64_would_be_seen():
    def calls(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), jnp.float32), x)

    with pytest.raises(NotImplementedError, match="callback"):
        assert_served((jax.jit(calls), (jnp.float32(1),)))
    with jax.enable_x64(True), pytest.raises(AssertionError):
        assert_served((jax.jit(jnp.sin), (jnp.float64(1),)))
