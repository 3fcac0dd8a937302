"""A linear classifier on given rows under one of several feature maps, which `choose_head.choose` decides for."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.networks import feature_maps, random_features
from alfamous_jax.networks.feature_maps import FeatureMap, Moments
from alfamous_jax.networks.sngp import Outputs


class Mapped(nn.Module):
    """Rows [N, ...] -> Outputs whose phi is that of the chosen map; nothing in it is trained by gradients.

    Collections: `params` is the head, `random_features` the draws of RBF maps, `map` what is known of the pool
    (`with_moments`) and which map is taken. The head has no bias of its own, linear maps have a last coordinate for it.
    """

    maps: tuple[FeatureMap, ...]
    num_classes: int
    num_features: int = 1024

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> Outputs:
        """Inputs [N, ...] -> Outputs."""
        h = x.reshape(len(x), -1)
        known, draws = self._known(h.shape[1])
        place = self.variable("map", "place", lambda: jnp.zeros((), jnp.int32)).value
        wide = feature_maps.width(self.maps, h.shape[1], self.num_features)
        branches = [lambda rows, one=one: feature_maps.apply(one, known, draws, rows, wide) for one in self.maps]
        phi = jax.lax.switch(place, branches, h)
        head = nn.Dense(self.num_classes, use_bias=False, kernel_init=nn.initializers.zeros, name="head")
        return Outputs(head(phi), phi, h, (h,))

    @nn.compact
    def every(self, x: jax.Array) -> list[jax.Array]:
        """phi under each of the maps, [N, D] each, as wide as the map is."""
        h = x.reshape(len(x), -1)
        known, draws = self._known(h.shape[1])
        return [feature_maps.apply(one, known, draws, h) for one in self.maps]

    def _known(self, in_dim: int) -> tuple[Moments, random_features.RandomFeatures]:
        known = self.variable("map", "moments", lambda: _nothing_known(in_dim)).value
        draws = self.variable(
            "random_features",
            "draws",
            lambda: random_features.init(self.make_rng("params"), in_dim, self.num_features),
        ).value
        return known, draws


def with_moments(variables: dict[str, Any], known: Moments) -> dict[str, Any]:
    """Variables of a `Mapped` that know its pool."""
    return {**variables, "map": {**variables["map"], "moments": known}}


def with_choice(variables: dict[str, Any], place: jax.Array, mean: jax.Array) -> dict[str, Any]:
    """Variables of a `Mapped` with another map and its head [K, D]."""
    head = {**variables["params"]["head"], "kernel": mean.T}
    chosen = {**variables["map"], "place": place.astype(jnp.int32)}
    return {**variables, "map": chosen, "params": {**variables["params"], "head": head}}


def _nothing_known(in_dim: int) -> Moments:
    one = jnp.ones(())
    return Moments(jnp.zeros(in_dim), jnp.ones(in_dim), one, jnp.ones(len(feature_maps.SCALINGS)))
