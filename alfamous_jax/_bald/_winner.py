"""BALD of rows with normal logits by one integral, exact but for its nodes and two fitted polynomials.

A label drawn from softmax(f) is the class of the largest f_k + g_k with g_k standard Gumbel. For f_k = z_k +
sqrt(v) e_k, e_k standard normal, f_k + g_k - z_k has the distribution H of a normal plus a Gumbel number t = sqrt(v) e
+ g. With the level x of the winner, F(x) = prod_k H(x - z_k) and w = H' / H,

    E p_k = int F(x) w(x - z_k) dx,    E H(p) = sum_k int F(x) w(x - z_k) (E[g | t = x - z_k] - gamma) dx.

The second holds as log sum exp f is the mean level of the winner less gamma, and sum p f the mean of the winner's f:
what is left is the winner's own noise. The mutual information is H(E p) - E H(p).

In units of the deviation of t, log(-log H) and E[g | t] - gamma are smooth in t and in the share that the noise has of
that deviation; polynomials in both are fitted when they are first needed, to integrals in float64.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import entr
from numpy.polynomial import chebyshev
from scipy.special import ndtr, ndtri

MEAN, VARIANCE = np.euler_gamma, np.pi**2 / 6  # of a Gumbel number
SMALLEST, LARGEST = 1.0, 1e6  # variances; beyond the second, means decide between the classes
LARGEST_SHARE = (VARIANCE / (VARIANCE + SMALLEST)) ** 0.5

# Where t lies, in its deviations from its mean: up to HIGH and, as the Gumbel tail is longer, HIGH per share more.
LOW, HIGH = -4.5, 5.0
DEGREES_LOSS, DEGREES_NOISE = (6, 12), (7, 10)  # in the share and in t
LOWEST_NODE, SPACING, LEFT_OUT = -3.7, 0.5, 2e-4  # the probability that the level lies above the last node


def by_winner(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """Mutual information [n] in nats, for variances from 1 on; logits [n, K]."""
    num_classes, dtype = logits.shape[1], logits.dtype
    deviation = jnp.sqrt(jnp.clip(variance, SMALLEST, LARGEST) + VARIANCE)
    share = VARIANCE**0.5 / deviation
    behind = (jnp.max(logits, axis=1) - logits.T) / deviation  # [K, n]: a CPU vectorises over rows
    loss, noise = (_in_t(jnp.asarray(x, dtype), 2.0 * share / LARGEST_SHARE - 1.0) for x in polynomials())
    slope = [power * x for power, x in enumerate(loss)][1:]

    top = -float(ndtri(LEFT_OUT / num_classes))
    num_nodes = 1 + int(np.ceil((1.5 * top - LOWEST_NODE) / SPACING))
    step = (top * (1.0 + share) - LOWEST_NODE) / (num_nodes - 1)
    centre, half = (HIGH * (1.0 + share) + LOW) / 2.0, (HIGH * (1.0 + share) - LOW) / 2.0
    ones = jnp.ones(num_classes, dtype)

    def place(node: jax.Array) -> jax.Array:
        """Where the level at a node is for every class, in -1..1 [K, n]."""
        return jnp.clip((LOWEST_NODE + node * step + behind - centre) / half, -1.0, 1.0)

    def total(x: jax.Array) -> jax.Array:
        # Not jnp.sum: XLA would fuse exponentials into it, and a CPU then takes them one at a time.
        return jnp.dot(ones, x, precision=jax.lax.Precision.HIGHEST)

    def survive(_: None, node: jax.Array) -> tuple[None, jax.Array]:
        return None, jnp.exp(-total(jnp.exp(_horner(loss, place(node)))))

    def add(
        sums: tuple[jax.Array, jax.Array], at: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        node, below = at
        t = place(node)
        # A class that would have to lie beyond HIGH does not win; many of them at its small hazard would.
        won = jnp.where(t < 1.0, -below * jnp.exp(_horner(loss, t)) * _horner(slope, t), 0.0)
        return (sums[0] + won, sums[1] + total(won * _horner(noise, t))), None

    nodes = jnp.arange(num_nodes, dtype=dtype)
    _, below = jax.lax.scan(survive, None, nodes)
    start = jnp.zeros_like(behind), jnp.zeros_like(variance)
    (probs, within), _ = jax.lax.scan(add, start, (nodes, below))
    mass = total(probs)
    information = total(entr(jnp.maximum(probs / mass, 0.0))) - within / mass
    return jnp.clip(information, 0.0, np.log(num_classes))


def _horner(coefficients: list[jax.Array], t: jax.Array) -> jax.Array:
    value = jnp.broadcast_to(coefficients[-1], t.shape)
    for coefficient in coefficients[-2::-1]:
        value = value * t + coefficient
    return value


def _in_t(table: jax.Array, share: jax.Array) -> list[jax.Array]:
    """The polynomials in t of all rows, coefficients [n] of each power."""
    return [_horner(list(column), share) for column in table.T]


@functools.cache
def polynomials() -> tuple[np.ndarray, np.ndarray]:
    """log(-log H) and E[g | t] - gamma: coefficients of powers of the share and of t, both scaled to -1..1."""
    share = LARGEST_SHARE * (1.0 + _nodes(24)) / 2.0
    t = [LOW + (_nodes(80) + 1.0) / 2.0 * (HIGH * (1.0 + x) - LOW) for x in share]
    loss, hazard, noise = (np.array(x) for x in zip(*map(_sum_of_normal_and_gumbel, share, t), strict=True))
    below = np.minimum(1.0, 100.0 * np.exp(-loss))
    return (
        _fit(np.log(loss), below * np.minimum(1.0, 300.0 * loss) + 1e-3, DEGREES_LOSS),
        _fit(noise, below * np.minimum(1.0, 300.0 * hazard) + 1e-4, DEGREES_NOISE),
    )


def _sum_of_normal_and_gumbel(share: float, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """-log H, w in units of the deviation and E[g | t] - gamma at t deviations from the mean."""
    deviation = VARIANCE**0.5 / share
    spread = (deviation**2 - VARIANCE) ** 0.5
    gumbel = np.arange(-4.0, 60.0, 0.02)
    density = np.exp(-gumbel - np.exp(-gumbel)) * 0.02
    normal = (MEAN + deviation * t[:, None] - gumbel) / spread
    above, bell = ndtr(-normal) @ density, np.exp(-0.5 * normal**2) / (np.sqrt(2 * np.pi) * spread)
    loss = np.where(above < 0.1, -np.log1p(-np.minimum(above, 0.1)), -np.log(ndtr(normal) @ density))
    drawn = bell @ density
    return loss, drawn * np.exp(loss) * deviation, bell @ (density * gumbel) / drawn - MEAN


def _nodes(size: int) -> np.ndarray:
    return np.asarray(-np.cos(np.pi * (np.arange(size) + 0.5) / size))


def _fit(values: np.ndarray, weights: np.ndarray, degrees: tuple[int, int]) -> np.ndarray:
    """Least squares over values at Chebyshev nodes of both; coefficients of powers."""
    basis = [chebyshev.chebvander(_nodes(size), degree) for size, degree in zip(values.shape, degrees, strict=True)]
    design = np.einsum("ai,bj->abij", *basis).reshape(values.size, -1) * weights.reshape(-1, 1)
    solved = np.linalg.lstsq(design, (values * weights).ravel(), rcond=None)[0].reshape([d + 1 for d in degrees])
    powers = [
        np.stack([np.pad(chebyshev.cheb2poly(e[: i + 1]), (0, d - i)) for i, e in enumerate(np.eye(d + 1))])
        for d in degrees
    ]
    return np.asarray(powers[0].T @ solved @ powers[1])
