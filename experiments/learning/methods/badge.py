"""BADGE: k-means++ over gradients of the last layer, at its mean weights."""

import jax

from alfamous_jax import laplace
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import diversity
from experiments.learning.methods._method import Common, Method
from experiments.learning.view import View


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Common) -> Selection:
    """The plain softmax: a gradient is taken at one point."""
    probs = jax.nn.softmax(laplace.predict(view.posterior, view.phi)[0])
    return diversity.badge(key, probs, view.phi, view.available, budget=settings.budget, axis_name=settings.axis_name)


METHOD = Method(
    bases={"badge": "BADGE, on the inputs and mean weights of the last layer"}, pick=pick, splits=True, draws="rows"
)
