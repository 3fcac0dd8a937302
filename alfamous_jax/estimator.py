"""The last layer as tools know estimators: a classifier for scikit-learn, the strategies for scikit-activeml."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from alfamous_jax import _classifier_file, laplace, last_layer, updates
from alfamous_jax._classifier_file import Parts
from alfamous_jax.laplace import Posterior
from alfamous_jax.last_layer import Maps

ROWS = 64  # taken in together by `partial_fit`; up to as many are predicted by one program, whatever their number
LARGEST = float(np.finfo(np.float32).max) / 1e4  # squares of rows are summed in float32


class LastLayerClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Multinomial logistic regression whose map and ridge the labels choose, and which learns one row at a time.

    `fit` is exact: five maps (three scalings, two of them with random Fourier features too) and seven ridges are
    compared by approximate leave-one-out loss, and the best is solved to its optimum. `partial_fit` then updates the
    posterior in closed form, O(D^2) for each row (AL-FaMoUS, Eq. 7). Probabilities are mean-field (Eq. 8).

    Args:
      random_state: of the random features, a whole number.

    Examples:
      >>> from alfamous_jax.estimator import LastLayerClassifier
      >>> rows = np.array([[0.0, 1.0], [0.2, 0.9], [1.0, 0.0], [0.9, 0.2]])
      >>> LastLayerClassifier().fit(rows, ["a", "a", "b", "b"]).predict([[0.1, 1.0]]).tolist()
      ['a']
    """

    classes_: np.ndarray
    posterior_: Posterior
    place_: jax.Array
    maps_: Maps
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(self, random_state: int = 0) -> None:
        """Takes the settings as they are; they are looked at by `fit`."""
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LastLayerClassifier":
        """Map, ridge and exact weights for some labelled rows.

        Args:
          X: rows of numbers [n, H], frames too.
          y: a class each [n], of any type that can be ordered.
          sample_weight: what the loss of each row counts [n], at least 0; None is 1 each. Under one map and ridge a row
            of 2 is one that is there twice; they are chosen by leaving a row out with all its weight. A row of 0 is as
            one that is not there, but for its class, and the scales of the columns are those of the rows left.

        Returns:
          itself. ValueError names what is wrong with the rows, the labels or the weights.
        """
        rows, y = self._rows(X, y=y)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        labels, weights = labels.astype(np.int32), None
        if sample_weight is not None:
            weights = _weights(sample_weight, len(rows))
            kept = weights > 0
            rows, labels, weights = rows[kept], labels[kept], weights[kept]
            if len(classes) > 1 and len(np.unique(labels)) < 2:
                raise ValueError("sample_weight must be above 0 for rows of two classes at least, and leaves one class")
        self.classes_ = classes
        self._start(rows, labels, weights)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "LastLayerClassifier":
        """Takes in further labelled rows one after the other; the first call fits the rows that it is given.

        Args:
          X: [n, H].
          y: [n].
          classes: all of them; needed by the first call, if `fit` has not been called.
          sample_weight: None. An update is one step for one label, and no sum of steps that a weight could stand for.

        Returns:
          itself. ValueError for a label that is none of the classes: a fit has to know them all.
        """
        if sample_weight is not None:
            raise ValueError("partial_fit takes no sample_weight, an update is one label; fit takes them")
        first = not hasattr(self, "posterior_")
        if first and classes is None:
            raise ValueError("classes must be given to the first call of partial_fit, got None")
        rows, y = self._rows(X, y=y, reset=first)
        check_classification_targets(y)
        known = np.unique(classes) if first else self.classes_
        if classes is not None and not np.array_equal(known, np.unique(classes)):
            raise ValueError(f"classes must be those of the first call, {known.tolist()}, got {list(classes)}")
        place = np.searchsorted(known, y).clip(max=len(known) - 1)
        if (wrong := np.flatnonzero(known[place] != y)).size:
            raise ValueError(f"y[{wrong[0]}] is {y[wrong[0]]!r}, none of the classes {known.tolist()}")
        self.classes_, labels = known, place.astype(np.int32)
        if first:
            self._start(rows, labels)
            return self
        phi = last_layer.phi_of(self.maps_, self.place_, rows)
        for start in range(0, len(labels), ROWS):
            part, answers = phi[start : start + ROWS], labels[start : start + ROWS]
            short = ROWS - len(answers)  # rows of zeros gain nothing
            padded = jnp.pad(part, ((0, short), (0, 0)))
            answers = np.pad(answers, (0, short))
            self.posterior_, _ = updates.update_many(self.posterior_, padded, answers, implicit=True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities [n, K] of rows [n, H], columns as in `classes_`."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        padded = np.pad(rows, ((0, max(ROWS - len(rows), 0)), (0, 0)))
        phi = last_layer.phi_of(self.maps_, self.place_, padded)
        probs: np.ndarray = np.asarray(laplace.mean_field(*laplace.predict(self.posterior_, phi)), np.float64)[
            : len(rows)
        ]
        whole: np.ndarray = probs / probs.sum(axis=1, keepdims=True)
        return whole

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row [n]."""
        probs = self.predict_proba(X)
        best: np.ndarray = self.classes_[np.argmax(probs, axis=1)]
        return best

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted classifier to one `.npz` file of plain arrays, whole or not at all.

        Raises:
          FileNotFoundError, ValueError: there is no such folder, nothing is fitted, or the labels are neither text nor
            numbers.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else [str(name) for name in names]
        about = int(self.random_state), self.classes_, names
        _classifier_file.write(path, Parts(*about, self.place_, self.posterior_, self.maps_))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LastLayerClassifier":
        """The classifier that `save` wrote: the same probabilities to the bit, and `partial_fit` goes on.

        Raises:
          FileNotFoundError, ValueError: there is no such file, or it is damaged, of another kind or a newer version.
        """
        parts = _classifier_file.read(path)
        found = cls(parts.random_state)
        found.classes_, found.place_, found.posterior_, found.maps_ = parts.classes, *parts[3:]
        found.n_features_in_ = parts.maps.draws.kernel.shape[1]
        if parts.names is not None:
            found.feature_names_in_ = np.array(parts.names, object)
        return found

    def _rows(self, X: Any, **how: Any) -> Any:
        """Checked as scikit-learn does; beyond float32 is refused."""
        checked = validate_data(self, X, dtype=(np.float64, np.float32), **how)
        rows = checked[0] if "y" in how else checked
        if rows.size and max(rows.max(), -rows.min()) > LARGEST:
            raise ValueError(f"X must be below {LARGEST:.0e}, got {max(rows.max(), -rows.min()):.3g}")
        return checked

    def _start(self, rows: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> None:
        seed, num_classes = int(self.random_state), len(self.classes_)
        self.maps_ = last_layer.measure(rows, seed)
        if len(np.unique(labels)) > 1:
            head = last_layer.fit(self.maps_, jax.random.key(seed), rows, labels, num_classes, weights)
            if weights is not None and not np.isfinite(head.posterior.cov).all():
                raise ValueError(
                    f"sample_weight must be smaller for float32 to have a posterior, got {weights.max():.3g}"
                )
            self.place_, self.posterior_ = head.place, head.posterior
            return
        head = last_layer.first(self.maps_, num_classes)
        self.place_, self.posterior_ = head.place, head.posterior
        if num_classes > 1:
            self.partial_fit(rows, self.classes_[labels])


def _weights(sample_weight: Any, num: int) -> np.ndarray:
    """What each row counts [n]; refused where it is no number from 0 to what float32 holds, or where all are 0."""
    with np.errstate(over="ignore"):
        weights: np.ndarray = np.asarray(sample_weight, np.float32)
    if weights.shape != (num,):
        raise ValueError(f"sample_weight must be one number for each of the {num} rows, got shape {weights.shape}")
    if (wrong := np.flatnonzero(~((weights >= 0) & (weights <= LARGEST)))).size:
        where, value = wrong[0], weights[wrong[0]]
        raise ValueError(f"sample_weight must be from 0 to {LARGEST:.0e}, got sample_weight[{where}] = {value}")
    if not weights.any():
        raise ValueError("sample_weight must be above 0 for some row, got zeros alone")
    return weights


def __getattr__(name: str) -> Any:
    """`PoolStrategy`, the strategies as scikit-activeml knows them, once that package is asked for."""
    if name == "PoolStrategy":
        from alfamous_jax._pool_strategy import PoolStrategy

        return PoolStrategy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
