"""A fitted classifier as one `.npz` file of plain arrays, and back, every bit as it was."""

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import _saved, last_layer
from alfamous_jax.laplace import Posterior
from alfamous_jax.last_layer import Maps
from alfamous_jax.networks import feature_maps
from alfamous_jax.networks.feature_maps import Moments
from alfamous_jax.networks.random_features import RandomFeatures

KIND, VERSION = "LastLayerClassifier", 1
PLAIN = "biufUSmM"  # kinds of labels that an array holds as they are
OBJECTS = (str, bool, int, float)  # labels in an array of objects that JSON holds as they are
PLACES: dict[str, Any] = {"posterior": Posterior, "moments": Moments, "draws": RandomFeatures}


class Parts(NamedTuple):
    """What a fitted classifier knows."""

    random_state: int
    classes: np.ndarray  # [K]
    names: list[str] | None  # of the columns [H], where a frame had them
    place: jax.Array  # [], of the map in MAPS
    posterior: Posterior
    maps: Maps


def write(path: str | os.PathLike[str], parts: Parts) -> None:
    """Writes a file that `read` takes.

    Raises:
      FileNotFoundError, ValueError: there is no such folder, or the labels are of a type that no plain array has.
    """
    classes, as_text = parts.classes, None
    if classes.dtype.kind not in PLAIN:
        as_text = classes.tolist()
        if classes.dtype != object or not all(isinstance(label, OBJECTS) for label in as_text):
            raise ValueError(f"classes_ must be text or numbers to be saved, got {classes.dtype}: {as_text[:3]!r}")
        classes = np.zeros(0)
    known = {"map": str(last_layer.MAPS[int(parts.place)]), "random_state": parts.random_state, "names": parts.names}
    values = parts.posterior, parts.maps.known, parts.maps.draws
    arrays = {f"{name}.{field}": np.asarray(x) for name, v in zip(PLACES, values, strict=True) for field, x in _of(v)}
    _saved.write(path, VERSION, {"kind": KIND, "classes": as_text, **known}, {"classes": classes, **arrays})


def read(path: str | os.PathLike[str]) -> Parts:
    """What `write` wrote.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is damaged, of another kind or a newer version.
    """
    about, arrays = _saved.read(path, "classifier", VERSION)
    if about.get("kind") != KIND:
        raise ValueError(f"{path}: not a saved classifier, it holds {', '.join(arrays)}")
    wanted = [f"{name}.{field}" for name, kind in PLACES.items() for field in kind._fields]
    if missing := {"map", "random_state", "names", "classes"} - about.keys() | {"classes", *wanted} - arrays.keys():
        raise ValueError(f"{path}: not a saved classifier, it lacks {', '.join(sorted(missing))}")
    names = [str(one) for one in last_layer.MAPS]
    if about["map"] not in names:
        raise ValueError(f"{path}: its map is {about['map']!r}, expected one of {', '.join(names)}")
    as_text, labels = about["classes"], arrays["classes"]
    classes = labels if as_text is None else np.array([*as_text, None], object)[:-1]  # never rows of letters
    _check(str(path), arrays, len(classes))
    posterior, known, draws = (
        kind(*(jnp.asarray(arrays[f"{name}.{field}"]) for field in kind._fields)) for name, kind in PLACES.items()
    )
    if about["names"] is not None and len(about["names"]) != len(known.mean):
        raise ValueError(f"{path}: names must be {len(known.mean)}, one for each column, got {len(about['names'])}")
    place = jnp.asarray(names.index(about["map"]), jnp.int32)
    return Parts(about["random_state"], classes, about["names"], place, posterior, Maps(known, draws))


def _of(value: Any) -> list[tuple[str, Any]]:
    return list(value._asdict().items())


def _check(where: str, arrays: dict[str, np.ndarray], num_classes: int) -> None:
    """Refuses arrays that do not belong together."""
    num_features, width = (*arrays["draws.kernel"].shape, 0, 0)[:2]
    wide = feature_maps.width(last_layer.MAPS, width, num_features)
    shapes = {
        "posterior.mean": (num_classes, wide), "posterior.cov": (wide, wide),
        "moments.mean": (width,), "moments.deviation": (width,), "moments.norm": (), "moments.distances": (3,),
        "draws.kernel": (num_features, width), "draws.bias": (num_features,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if (array := arrays[name]).shape != shape or array.dtype != np.float32:
            raise ValueError(f"{where}: {name} must be float32 {shape}, got {array.dtype} {array.shape}")
