"""GALAXY under the fast update, against labels taken in one by one by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import boundary, laplace, updates
from experiments.conformance.trial import pool
from experiments.learning.methods import boundary as method


@pytest.mark.slow
def test_with_updates_every_pick_sees_the_posterior_of_the_labels_before_it():
    view = jax.tree.map(jnp.asarray, pool(3))
    key, settings = jax.random.key(0), method.Settings(12, updates=True, implicit=False, round_size=20, axis_name=None)
    found = np.asarray(method.galaxy(key, view, 0.0, settings).indices)
    posterior, labelled, available = view.posterior, np.asarray(view.labelled), np.asarray(view.available)
    for row, own in zip(found, jax.random.split(key, 12), strict=True):
        probs = laplace.mean_field(*laplace.predict(posterior, view.phi))
        assert row == int(boundary.galaxy(own, probs, view.labels, labelled, available, budget=1).indices[0])
        posterior, _ = updates.update_many(posterior, view.phi[row][None], view.labels[row][None])
        taken = np.arange(len(labelled)) == row
        labelled, available = labelled | taken, available & ~taken
    plain = np.asarray(method.galaxy(key, view, 0.0, settings._replace(updates=False)).indices)
    assert (plain != found).any() and len(set(found.tolist())) == 12
