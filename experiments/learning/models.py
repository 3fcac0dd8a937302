"""From a config to a model: the backbone, the last layer, and what that chooses from."""

from collections.abc import Callable, Mapping

import flax.linen as nn
from ml_collections import FrozenConfigDict

from alfamous_jax.networks import feature_maps
from alfamous_jax.networks.feature_maps import FeatureMap
from alfamous_jax.networks.linear import Identity, Linear
from alfamous_jax.networks.mapped import Mapped
from alfamous_jax.networks.mlp import ResidualMLP
from alfamous_jax.networks.resnet import resnet6, resnet18, resnet34
from alfamous_jax.networks.sngp import SNGP
from alfamous_jax.networks.tcn import TCN
from experiments.plan.dotted import call, check_parameters, resolve

BACKBONES: dict[str, Callable[[FrozenConfigDict, float | None, float], nn.Module]] = {
    "mlp": lambda config, bound, rate: ResidualMLP(config.width, config.depth, bound, rate),
    "tcn": lambda config, bound, rate: TCN(config.width, config.depth, bound=bound, dropout=rate),
    "resnet6": lambda config, bound, rate: resnet6(bound, rate),
    "resnet18": lambda config, bound, rate: resnet18(bound, rate),
    "resnet34": lambda config, bound, rate: resnet34(bound, rate),
    "resnet18-imagenet": lambda config, bound, rate: resnet18(bound, rate, imagenet=True),
    "resnet34-imagenet": lambda config, bound, rate: resnet34(bound, rate, imagenet=True),
    "identity": lambda config, bound, rate: Identity(rate),
}
HEADS = ("sngp", "linear", "map")


def build_model(config: FrozenConfigDict) -> SNGP | Linear | Mapped:
    """The network of a config."""
    if config.head == "map":
        return Mapped(maps_of(config), config.num_classes, config.num_features)
    backbone = build_backbone(config)
    if config.head == "linear":
        return Linear(backbone, config.num_classes)
    return SNGP(backbone, config.num_classes, config.num_features, config.kernel_scale)


def build_backbone(config: FrozenConfigDict) -> nn.Module:
    """The network of a config without its last layer.

    Raises:
      ValueError: one of the user's own is not there, needs arguments, or is no flax module.
    """
    bound, rate = config.spectral_bound or None, config.dropout
    if config.backbone in BACKBONES:
        return BACKBONES[config.backbone](config, bound, rate)
    build = resolve(config.backbone, "config.backbone")
    check_parameters(build, ((),), f"config.backbone: {config.backbone!r}")
    found = call(build, f"config.backbone: {config.backbone!r}")
    if not isinstance(found, nn.Module):
        raise ValueError(f"config.backbone: {config.backbone!r} must give a flax module, got {type(found).__name__}")
    return found


def maps_of(config: Mapping) -> tuple[FeatureMap, ...]:
    """What a head "map" chooses from.

    Raises:
      ValueError: there is no such map.
    """
    try:
        return tuple(feature_maps.parse(name) for name in config["maps"])
    except ValueError as error:
        raise ValueError(f"config.maps: {error}") from error


def ridges_of(config: Mapping) -> tuple[float, ...]:
    """The ridges that a refit or a head "map" chooses from."""
    return tuple(config["ridges"]) if config["ridge"] == "auto" else (config["ridge"],)


def chooses_ridge(config: Mapping) -> bool:
    """Whether the last layer comes with a ridge of its own."""
    return bool(config["refit"]) or config["head"] == "map"
