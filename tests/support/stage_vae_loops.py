"""The autoencoder of VaB-AL in float64, a row, a draw and a class at a time, and pools and parameters to try it on."""

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.autoencoders import stage_vae
from alfamous_jax.autoencoders.stage_vae import BLOCK

K, KEY = 3, jax.random.key(0)
RNG = np.random.default_rng(0)
MEASURES = {"square": lambda z: z**2, "absolute": np.abs, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}


def pool(num=90):
    """Two stages of rows in three clouds, their classes, a mask of the labelled and one of the available."""
    labels = np.arange(num) % K
    stages = tuple(
        jnp.asarray(3.0 * RNG.normal(size=(K, width))[labels] + RNG.normal(size=(num, width)), jnp.float32)
        for width in (5, 4)
    )
    labelled = np.arange(num) < num // 3
    return stages, labels, labelled, ~labelled


def make_models(model, stages):
    """Random parameters and batch statistics, nothing at 0 or 1."""
    variables = model.init(KEY, tuple(h[:1] for h in stages), jnp.zeros((1, K * BLOCK)))

    def shake(path, leaf):
        name = jax.tree_util.keystr(path)
        moved = leaf + 0.03 * RNG.normal(size=leaf.shape).astype(np.float32)
        return jnp.abs(moved) + 0.5 if "var" in name and "batch_stats" in name else moved

    variables = jax.tree_util.tree_map_with_path(shake, variables)
    moments = [(h.mean(0), h.std(0)) for h in stages]
    return stage_vae.Models(variables, *(tuple(jnp.asarray(m) for m in part) for part in zip(*moments, strict=True)))


class Reference:
    """The autoencoder in float64, a row and a draw at a time."""

    def __init__(self, models, batch_norm):
        self.models = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), models)
        self.params, self.batch_norm = self.models.variables["params"], batch_norm

    def layers(self, part, h, num):
        weights = self.params["autoencoder"][part]
        for i in range(num):
            h = np.maximum(h @ weights[f"Dense_{i}"]["kernel"] + weights[f"Dense_{i}"]["bias"], 0)
            if self.batch_norm:
                stats = self.models.variables["batch_stats"]["autoencoder"][part][f"BatchNorm_{i}"]
                scaled = (h - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
                h = scaled * weights[f"BatchNorm_{i}"]["scale"] + weights[f"BatchNorm_{i}"]["bias"]
        return h

    def embed(self, row):
        scaled = [(h - m) / d for h, m, d in zip(row, self.models.mean, self.models.deviation, strict=True)]
        parts = [
            h @ self.params[f"layers_{i}"]["kernel"] + self.params[f"layers_{i}"]["bias"] for i, h in enumerate(scaled)
        ]
        return 1 / (1 + np.exp(-np.concatenate(parts)))

    def encode(self, x):
        h = self.layers("encoder", x, 3)
        heads = [self.params["autoencoder"][name] for name in ("mean", "log_variance")]
        return [h @ head["kernel"] + head["bias"] for head in heads]

    def decode(self, z):
        last = self.params["autoencoder"]["decoder"]["Dense_3"]
        return self.layers("decoder", z, 3) @ last["kernel"] + last["bias"]

    def read(self, stages, noise, constraint, kl_weight):
        losses, votes = np.zeros((len(stages[0]), K)), np.zeros((len(stages[0]), K), int)
        for i in range(len(stages[0])):
            x = self.embed([np.asarray(h[i], np.float64) for h in stages])
            mean, log_variance = self.encode(x)
            kl = np.mean([(m * m + np.exp(v) - 1 - v) / 2 for m, v in zip(mean, log_variance, strict=True)])
            for eps in np.asarray(noise, np.float64):
                z = mean + np.exp(log_variance / 2) * eps
                w = [sum(MEASURES[constraint](z[BLOCK * n : BLOCK * (n + 1)])) for n in range(K)]
                votes[i, np.argmin(w)] += 1
                for n in range(K):
                    absent = z.copy()
                    absent[BLOCK * n : BLOCK * (n + 1)] = 0
                    losses[i, n] += (np.mean((self.decode(absent) - x) ** 2) + kl_weight * kl) / len(noise)
        return losses, votes
