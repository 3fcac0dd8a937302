"""What was found in the data and done with it: the first thing that a run prints and that its report says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.report.names import visible

MOST_CLASSES = 20  # that are listed one by one
LONGEST = 2000  # signs of a path or a sentence
ENDS = 4  # largest and smallest ones that are listed of more


def lines(data: Mapping[str, Any], dataset: str, written: Callable[..., str] = visible) -> list[str]:
    """Sentences about the data of a run.

    Args:
      data: as `learning.facts` has it in `environment.json`.
      dataset: of the config.
      written: what is done with names that stand in the file, for text that takes some signs for markup.

    Returns:
      one string for each; none of a run that has recorded no counts.
    """
    if "counts" not in data:
        return []
    counts, tested = data["counts"], data["tested"]
    names = [written(str(name)) for name in data.get("classes") or range(len(counts))]
    order = sorted(range(len(counts)), key=lambda k: -counts[k])
    few = order if len(order) <= MOST_CLASSES else [*order[:ENDS], None, *order[-ENDS:]]
    listed = ", ".join("..." if k is None else f"{names[k]} ({counts[k]:,})" for k in few)
    rarest = order[-1]
    return [
        f"Rows: {sum(counts):,} to learn from, {sum(tested):,} to test, each {_shape(data['shape'])}, "
        f"from {written(dataset, LONGEST)}.",
        f"Classes: {len(counts)}, with so many training rows: {listed}.",
        "All classes have as many training rows."
        if min(counts) == max(counts)
        else f"The rarest class is {names[rarest]}: {counts[rarest]:,} training rows of {sum(counts):,} "
        f"({counts[rarest] / sum(counts):.2%}), {tested[rarest]:,} tested.",
        *_lacking(names, counts, tested),
        _cut(data, names),
        _scaling(data),
        *(written(note, LONGEST) for note in data.get("notes", [])),
    ]


def _shape(shape: Sequence[int]) -> str:
    return f"{shape[0]:,} features" if len(shape) == 1 else f"{' x '.join(map(str, shape))} numbers"


def _lacking(names: Sequence[str], counts: Sequence[int], tested: Sequence[int]) -> list[str]:
    """Classes that a score cannot be had of."""
    parts = (
        (counts, "no training row, so that nothing can be learnt of them"),
        (tested, "no test row, so that no score"),
    )
    found = [([name for name, num in zip(names, rows, strict=True) if not num], what) for rows, what in parts]
    return [f"Classes with {what}: {', '.join(lacking[:MOST_CLASSES])}." for lacking, what in found if lacking]


def _cut(data: Mapping[str, Any], names: Sequence[str]) -> str:
    counts, left = data["counts"], data["left"]
    if counts == left:
        return "Nothing was cut: every training row is in the pool."
    smaller = [k for k in range(len(counts)) if left[k] < counts[k]]
    listed = ", ".join(f"{names[k]} {counts[k]:,} to {left[k]:,}" for k in smaller[:MOST_CLASSES])
    more = ", ..." * (len(smaller) > MOST_CLASSES)
    return (
        f"The pool was cut to {sum(left):,} of {sum(counts):,} training rows, as config.profile and the fields "
        f"config.minority... ask; under the first seed: {listed}{more}."
    )


def _scaling(data: Mapping[str, Any]) -> str:
    how = data["scaling"]
    places = "each feature" if len(data["shape"]) == 1 else "all places of a channel"
    each = {
        "feature": "each feature to mean 0 and deviation 1 over the training rows",
        "channel": "all places of a channel to mean 0 and deviation 1 over the training rows",
        "series": "all times of a channel to mean 0 and deviation 1 over the training rows",
        "clipped": f"{places} to mean 0 and deviation 1 over the training rows, then cut at 4 deviations",
        "common": "each feature to mean 0, all by one factor, so that a mean row has length 1",
        "none": "not at all",
    }.get(how, "as it says")
    span = (
        f"; training rows then lie between {data['range'][0]:.4g} and {data['range'][1]:.4g}" if data["range"] else ""
    )
    still = data["constant"]
    same = f"; {still:,} features that never vary became 0" if still > 1 else "; a feature that never varies became 0"
    return f"Scaled (config.scaling {how!r}): {each}{span}{same * (still > 0)}."
