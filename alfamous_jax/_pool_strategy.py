"""The strategies inside scikit-activeml's loop; reached as `alfamous_jax.estimator.PoolStrategy`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from skactiveml.base import SingleAnnotatorPoolQueryStrategy
from skactiveml.utils import MISSING_LABEL, is_labeled

from alfamous_jax import _strategies, cycle, last_layer
from alfamous_jax._strategies import Labelled


class PoolStrategy(SingleAnnotatorPoolQueryStrategy):  # type: ignore[misc]
    """Any strategy that ranks by a last layer, as a query strategy of scikit-activeml (SingleAnnotator, pool).

    Every query fits a head to the labels in y, its map and ridge chosen by them, and asks the strategy for a batch.
    Until two classes have a label, rows far from all labelled ones are chosen.

    Args:
      strategy: a name, such as "margin-alfamous".
      lam: how much the balance of the classes counts; None is 0.1, 0.5 for those that go by distances, times
        `balance.shrinkage` of the labels known, so that classes that are even are left alone.
      classes: all of them, also those without a label yet; None takes those in y.
      missing_label: what stands in y where there is no label.
      random_state: of all that is drawn.
    """

    def __init__(
        self,
        strategy: str = "margin-alfamous",
        lam: float | None = None,
        classes: Any = None,
        missing_label: Any = MISSING_LABEL,
        random_state: Any = None,
    ) -> None:
        """Takes the settings as they are; `query` looks at them."""
        super().__init__(missing_label=missing_label, random_state=random_state)
        self.strategy = strategy
        self.lam = lam
        self.classes = classes

    def query(
        self, X: Any, y: Any, candidates: Any = None, batch_size: int = 1, return_utilities: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The rows to label next.

        Args:
          X: the whole pool [n, H].
          y: labels [n], `missing_label` where there is none.
          candidates: rows of X that may be chosen; None is all without a label. Rows that are not in X are refused
            with their MappingError.
          batch_size: how many.
          return_utilities: whether to give utilities too [batch_size, n]: 1 for the row chosen at this place, 0 for
            the others that could have been, NaN for the rest. A batch is chosen as a whole.

        Returns:
          indices in X [batch_size], and the utilities if asked for.
        """
        X, y, candidates, batch_size, return_utilities = self._validate_data(
            X, y, candidates, batch_size, return_utilities, reset=True
        )
        _, mapping = self._transform_candidates(candidates, X, y, enforce_mapping=True)
        chosen = _strategies.parse(self.strategy)
        if self.lam is not None and not (isinstance(self.lam, (int, float, np.number)) and 0 <= self.lam < np.inf):
            raise ValueError(f"lam must be a number of at least 0, or None, got {self.lam!r}")
        labelled = is_labeled(y, self.missing_label)
        classes, labels = self._numbered(y, labelled)
        seed = int(self.random_state_.randint(2**31 - 1))
        available = np.zeros(len(X), bool)
        available[mapping] = True
        rows = self._pick(np.asarray(X, np.float32), labels, len(classes), available, chosen, seed, batch_size)
        if not return_utilities:
            return rows
        utilities = np.full((batch_size, len(X)), np.nan)
        for place, row in enumerate(rows):
            utilities[place, available] = 0.0
            utilities[place, row] = 1.0
            available[row] = False
        return rows, utilities

    def _numbered(self, y: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The classes, and the label of each row as their number, -1 where there is none."""
        known = np.unique(np.array(y[labelled].tolist() if self.classes is None else list(self.classes)))
        labels = np.full(len(y), -1, np.int32)
        for row in np.flatnonzero(labelled):
            found = np.flatnonzero(known == y[row])
            if not found.size:
                raise ValueError(f"y[{row}] is {y[row]!r}, none of the classes {known.tolist()}")
            labels[row] = found[0]
        return known, labels

    def _pick(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        num_classes: int,
        available: np.ndarray,
        chosen: _strategies.Strategy,
        seed: int,
        num: int,
    ) -> np.ndarray:
        maps, labelled, size = last_layer.measure(features, seed), labels >= 0, max(num_classes, 2)
        if cold := _strategies.is_cold(chosen, len(np.unique(labels[labelled]))):
            chosen = _strategies.parse("kcenter")
        key = jax.random.key(seed)
        can_fit = not cold and len(np.unique(labels[labelled])) > 1
        head = last_layer.first(maps, size)
        if can_fit:
            head = last_layer.fit(maps, key, features[labelled], labels[labelled], size)
        phi = last_layer.phi_of(maps, head.place, features)
        counts = jnp.asarray(np.bincount(labels[labelled], minlength=size), jnp.int32)
        state = cycle.init(head.posterior, phi, jnp.asarray(available), counts)
        known = Labelled(phi, jnp.asarray(labels), jnp.asarray(labelled))
        indices, _ = _strategies.pick(chosen, state, key, self.lam, known, num)
        return np.asarray(indices, np.int64)
