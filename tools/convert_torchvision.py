"""A ResNet-18 or ResNet-34 of torchvision, trained on ImageNet, as the `.npz` file that --config.source takes.

    python tools/convert_torchvision.py resnet18 resnet18.npz
    python -m experiments.run --config=configs/minority.py:cifar100 --config.backbone=resnet18-imagenet \\
        --config.source=resnet18.npz ...

Needs numpy, torch and torchvision and nothing of this project. torchvision downloads its default weights once.
"""

import argparse
import os
import pathlib
import secrets
import sys
from collections.abc import Mapping, Sequence

import numpy as np

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def convert(state: Mapping[str, np.ndarray], network: str) -> dict[str, np.ndarray]:
    """Arrays [1, ...], one snapshot, under the names that they have here.

    Args:
      state: of torchvision, name -> array: kernels [outputs, inputs, height, width], a last layer [K, 512].
      network: "resnet18" or "resnet34".

    Returns:
      name -> array: kernels [1, height, width, inputs, outputs], the last layer with its biases below [1, 513, K].
      ValueError for a state of another network.
    """
    found: dict[str, np.ndarray] = {}
    for name, place in _places(network).items():
        conv, norm = (f"{part}_{place[1]}" for part in ("SpectralConv", "BatchNorm"))
        where = f"backbone/{place[0]}".rstrip("/")
        kernel, bn = (
            name,
            name.replace("conv", "bn") if "conv" in name else name.replace("downsample.0", "downsample.1"),
        )
        found[f"params/{where}/{conv}/kernel"] = _of(state, f"{kernel}.weight").transpose(2, 3, 1, 0)
        found[f"params/{where}/{norm}/scale"] = _of(state, f"{bn}.weight")
        found[f"params/{where}/{norm}/bias"] = _of(state, f"{bn}.bias")
        found[f"batch_stats/{where}/{norm}/mean"] = _of(state, f"{bn}.running_mean")
        found[f"batch_stats/{where}/{norm}/var"] = _of(state, f"{bn}.running_var")
    found["params/head/kernel"] = np.concatenate([_of(state, "fc.weight").T, _of(state, "fc.bias")[None]])
    left = {name for name in state if not name.endswith("num_batches_tracked")}
    used = 5 * len(_places(network)) + 2
    if len(left) != used:
        raise ValueError(f"{network} has {used} arrays, the weights {len(left)}")
    return {name: np.asarray(array, np.float32)[None] for name, array in found.items()}


def _places(network: str) -> dict[str, tuple[str, int]]:
    """torchvision's name of a convolution -> the block that it is in here, and its number there."""
    places, number = {"conv1": ("", 0)}, 0
    for stage, depth in enumerate(DEPTHS[network], start=1):
        for block in range(depth):
            own = f"BasicBlock_{number}"
            places |= {f"layer{stage}.{block}.conv{i}": (own, i - 1) for i in (1, 2)}
            if stage > 1 and block == 0:
                places[f"layer{stage}.0.downsample.0"] = (own, 2)
            number += 1
    return places


def _of(state: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in state:
        raise ValueError(f"the weights lack {name}")
    return np.asarray(state[name])


def pretrained(network: str) -> dict[str, np.ndarray]:
    """torchvision's default weights; ValueError if they cannot be had."""
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # RuntimeError: releases that do not belong together
        raise ValueError(f"needs torch and torchvision, pip install torch torchvision ({error})") from None
    model = models.get_model(network, weights=models.get_model_weights(network).DEFAULT)
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr for what cannot be converted."""
    parser = argparse.ArgumentParser(description="A ResNet of torchvision to an .npz file of weights.")
    parser.add_argument("network", choices=tuple(DEPTHS))
    parser.add_argument("target", type=pathlib.Path, help="the .npz file to write")
    given = parser.parse_args(args)
    try:
        if not given.target.parent.is_dir():
            raise ValueError(f"{given.target}: no folder {given.target.parent}")
        _write(given.target, convert(pretrained(given.network), given.network))
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{given.target}: {given.network}, for --config.backbone={given.network}-imagenet")
    return 0


def _write(target: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A file that is there whole or not at all; its temporary name is new, so that no planted link is followed."""
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    with temporary.open("xb") as file:
        try:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink()
            raise


if __name__ == "__main__":
    sys.exit(main())
