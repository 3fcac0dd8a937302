"""What the script that extracts features asks of torch and torchvision, in NumPy."""

import sys
from types import SimpleNamespace

import numpy as np

RNG = np.random.default_rng(0)
HIDDEN, OUT, BIAS = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 5)), RNG.normal(size=4)


class Tensor:
    """What the script asks of a tensor."""

    def __init__(self, array, device="cpu"):
        self.array, self.device, self.shape = array, device, array.shape

    def to(self, device):
        return Tensor(self.array, device)

    def cpu(self):
        return self.to("cpu")

    def numpy(self):
        assert self.device == "cpu"
        return self.array


class Linear:
    def __init__(self, weight, bias=0.0):
        self.weight, self.bias, self.out_features, self.hooks = weight, bias, len(weight), []

    def register_forward_pre_hook(self, hook):
        self.hooks.append(hook)

    def __call__(self, x):
        for hook in self.hooks:
            hook(self, (x,))
        return Tensor(x.array @ self.weight.T + self.bias, x.device)


class Network:
    """Linear layers one after the other, in evaluation without a gradient."""

    def __init__(self, *layers, used=None):
        self.layers, self.used = layers, layers[:used]
        self.device, self.is_training = "cpu", True

    def modules(self):
        return iter((self, *self.layers))

    def to(self, device):
        self.device = device
        return self

    def eval(self):
        self.is_training = False
        return self

    def __call__(self, x):
        assert x.device == self.device and not self.is_training and InferenceMode.depth == 1
        assert x.array.shape[1:] == (3,)
        for layer in self.used:
            x = layer(x)
        return x


class InferenceMode:
    depth = 0

    def __enter__(self):
        InferenceMode.depth += 1

    def __exit__(self, *_):
        InferenceMode.depth -= 1


def transform(batch):
    assert batch.array.dtype == np.uint8 and batch.array.shape[1] == 3 and batch.array.flags.c_contiguous
    return Tensor(batch.array.mean((2, 3)) / 127.5 - 1, batch.device)


def install(monkeypatch):
    """Puts it in the place of torch and torchvision; `devices` are those that answer, `networks` those there are."""
    fake = SimpleNamespace(
        devices=[],
        networks={
            "small": Network(Linear(HIDDEN), Linear(OUT, BIAS)),
            "bare": Network(lambda x: x),
            "odd": Network(Linear(HIDDEN), Linear(OUT, BIAS), used=1),
        },
    )

    def get_model(name, weights):
        assert weights is defaults[name]
        return fake.networks[name]

    defaults = {name: SimpleNamespace(transforms=lambda: transform) for name in fake.networks}
    models = SimpleNamespace(
        list_models=lambda module: sorted(fake.networks) if module is models else ["detector"],
        get_model_weights=lambda name: SimpleNamespace(DEFAULT=defaults[name]),
        get_model=get_model,
    )
    torch = SimpleNamespace(
        nn=SimpleNamespace(Linear=Linear),
        from_numpy=Tensor,
        inference_mode=InferenceMode,
        cuda=SimpleNamespace(is_available=lambda: "cuda" in fake.devices),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: "mps" in fake.devices)),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))
    return fake
