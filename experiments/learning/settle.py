"""What a config leaves to its data, filled in before anything is checked or written."""

from collections.abc import Mapping
from typing import NamedTuple

from ml_collections import FrozenConfigDict

from experiments.learning import problem
from experiments.learning.check import OWNED
from experiments.plan import automatic
from experiments.plan.check import check_fields, check_minority


class Settled(NamedTuple):
    """A config with a value in every field."""

    config: dict
    notes: tuple[str, ...] = ()  # what was done with the file and what was chosen, a sentence each; of an open one


def settle(config: Mapping) -> Settled:
    """Fills in what a config leaves open: by its file alone, so that the same file gives the same config.

    Args:
      config: the fields of a config file; those that are read for this are checked.

    Returns:
      the config. One that leaves nothing open comes back as it is, and nothing is read.

    Raises:
      ValueError, FileNotFoundError: a bad field, or a bad file; says which.
    """
    if not automatic.is_open(config):
        return Settled(dict(config))
    check_fields(config, *OWNED, open_fields=automatic.open_fields(config))
    frozen = FrozenConfigDict(dict(config))
    dataset = problem.load_dataset(frozen)
    shape, num_classes = dataset.x_train.shape[1:], dataset.num_classes
    settled = dict(config) | {"num_classes": num_classes, "classes": dataset.class_names}
    check_minority(settled)
    notes = list(dataset.notes)
    open_fields = [field for field in automatic.LABELS if config[field] == automatic.AUTO]
    if open_fields:
        whole = FrozenConfigDict(settled | {"initial": num_classes, "balanced_initial": False})
        seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
        num_rows = min(int(problem.seed_pool(whole, dataset, seed).available.sum()) for seed in seeds)
        found = automatic.labels(config, num_rows, num_classes)
        settled |= found._asdict()
        total = found.initial + found.cycles * found.budget
        notes.append(
            f"Labels: {found.initial} at the start, then {found.cycles} cycles of {found.budget}, {total:,} in the end "
            f"({total / num_rows:.0%} of the pool). By the number of rows and classes: {', '.join(open_fields)}."
        )
    if config["backbone"] == automatic.AUTO:
        settled["backbone"] = automatic.backbone(shape, dataset.scaling == "series")
    if config["head"] == automatic.AUTO:
        settled["head"] = automatic.head(settled["backbone"])
    settled |= {k: v for k, v in automatic.training(settled["backbone"]).items() if config[k] == automatic.AUTO}
    if settled["backbone"] != config["backbone"] or settled["head"] != config["head"]:
        kind = "series" if dataset.scaling == "series" else "images" if len(shape) > 1 else ""
        rows = f"rows of shape {' x '.join(map(str, shape))} are {kind}" if kind else "rows are features"
        notes.append(f"Network: {settled['backbone']!r} under the head {settled['head']!r}, as the {rows}.")
    return Settled(settled, tuple(notes))
