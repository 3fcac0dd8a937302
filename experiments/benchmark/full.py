"""What a pool has to give: the score of a last layer that is fitted to all of its labels."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax.networks import feature_maps, map_head, mapped, train
from experiments.learning.models import build_model, maps_of
from experiments.learning.problem import build_problem, load_dataset, seed_pool
from experiments.report.runs import Run
from experiments.store import same_config

FIELDS = ("accuracy", "macro_f1", "balanced_accuracy")


def score(run: Run) -> dict[str, Any]:
    """Test scores under the map and the ridge that most lanes of a run chose at its last cycle.

    Args:
      run: finished, its head "map".

    Returns:
      `FIELDS`, the map, the ridge, the number of rows and whether the fit converged. Of the first seed alone, whose
      rows are all of the pool where nothing is cut.
    """
    place, ridge = _last_choice(run)
    config = FrozenConfigDict(same_config.completed(run.config))
    seed, dataset, model = config.first_seed, load_dataset(config), build_model(config)
    data, *_, variables = build_problem(config, [seed])
    start = jax.tree.map(lambda leaf: leaf[0], variables["network"])
    pool = seed_pool(config, dataset, seed)
    rows = jnp.asarray(pool.rows[pool.available])

    maps, number = maps_of(config), config.maps.index(place)
    known, draws = start["map"]["moments"], start["random_features"]["draws"]
    width = feature_maps.width(maps, data.inputs.shape[1], config.num_features)
    phi = feature_maps.apply(maps[number], known, draws, data.inputs[rows], width)
    everything = jnp.ones(len(rows), bool)
    mean, info = map_head.fit(phi, data.labels[rows], everything, config.num_classes, ridge, tolerance=1e-4)
    fitted = mapped.with_choice(start, jnp.asarray(number), mean)
    test = train.evaluate(fitted, data.x_test, data.y_test, model=model, num_classes=config.num_classes)
    numbers = (test.accuracy, test.macro_f1, np.nanmean(np.asarray(test.recall)))
    found = dict(zip(FIELDS, map(float, numbers), strict=True))
    return found | {"map": place, "ridge": ridge, "rows": len(rows), "converged": bool(info.converged)}


def _last_choice(run: Run) -> tuple[str, float]:
    choices = Counter(
        (str(place), float(ridge))
        for own in run.lanes.values()
        for place, ridge in zip(own.maps[:, -1], own.metrics["ridge"][:, -1], strict=True)
        if place
    )
    return choices.most_common(1)[0][0]
