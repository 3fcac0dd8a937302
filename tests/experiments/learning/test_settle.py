"""A config that leaves fields to its file: what is filled in, and that it reads the same file again."""

import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from configs import own
from experiments.learning import problem
from experiments.learning.check import check, check_data, facts
from experiments.learning.settle import settle


def written(path, y, shape=(5,), **more):
    x = np.random.default_rng(0).normal(size=(len(y), *shape)).astype(np.float32)
    np.savez(path, x=x, y=y, **more)
    return {**own.get_config().to_dict(), "dataset": str(path)}


LABELS = {
    "integers": np.arange(200) % 4,
    "from 1": 1 + np.arange(200) % 4,
    "with gaps": np.array([3, 10, 11, 40])[np.arange(200) % 4],
    "floats": 1.0 + np.arange(200) % 4,
    "text": np.array(["d", "b", "a", "c"])[np.arange(200) % 4],
    "one-hot": np.eye(4, dtype=int)[np.arange(200) % 4],
    "booleans": np.arange(200) % 2 == 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_the_settled_config_reads_the_same_rows(tmp_path, y):
    """Workers have the settled config alone."""
    config = written(tmp_path / "a.npz", y)
    settled, notes = settle(config)
    check(settled)
    assert (settled["initial"], settled["budget"], settled["cycles"]) == (10, 8, 8)
    assert settled["backbone"] == "identity" and settled["num_classes"] == (2 if y.dtype == bool else 4)
    first, again = (problem.load_dataset(FrozenConfigDict(one)) for one in (config, settled))
    for name in ("x_train", "y_train", "x_test", "y_test", "class_names"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert settle(settled) == (settled, ()), "nothing is left open"
    assert any(
        note.startswith("Labels: 10 at the start, then 8 cycles of 8, 74 in the end (46% of the") for note in notes
    )
    assert any("20% of each class, 40 of 200 rows" in note for note in notes)


def test_images_get_a_small_network(tmp_path):
    settled, notes = settle(written(tmp_path / "a.npz", np.arange(60) % 3, (8, 8, 3)))
    assert (settled["backbone"], settled["head"]) == ("resnet6", "linear") and any(
        "8 x 8 x 3 are images" in note for note in notes
    )


def test_a_number_stays(tmp_path):
    config = written(tmp_path / "a.npz", np.arange(400) % 4) | {"budget": 7, "backbone": "mlp", "head": "sngp"}
    settled, notes = settle(config)
    assert (settled["initial"], settled["budget"], settled["cycles"], settled["backbone"]) == (8, 7, 8, "mlp")
    assert settled["head"] == "sngp"
    assert not any(note.startswith("Network") for note in notes)


def test_a_closed_config_is_left_as_it_is():
    config = tiny(dataset="absent.npz")
    assert settle(config) == (config, ())


BAD = {
    "no file": ({"dataset": ""}, "no file is named"),
    "budget in words": ({"budget": "many"}, "config.budget: expected an integer from 1 to 2,147,483,647, got 'many'"),
    "classes": ({"classes": ("a", "a")}, "config.classes: expected a tuple of different names"),
    "split seed": ({"split_seed": -1}, "config.split_seed: expected an integer from 0 to"),
    "a class too many": ({"minority": (4,)}, r"config.minority: 4 classes, got \(4,\)"),
    "other classes": ({"num_classes": 3}, "num_classes is 3, the labels have 4 classes"),
}


@pytest.mark.parametrize("changes, message", BAD.values(), ids=BAD)
def test_bad_fields_are_named(tmp_path, changes, message):
    config = written(tmp_path / "a.npz", np.arange(100) % 4)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        settle(config | changes)
    del config["split_seed"]
    with pytest.raises(ValueError, match="config.split_seed: missing"):
        settle(config)


@pytest.mark.slow
def test_facts_count_what_is_there(tmp_path):
    """60 + 30 + 10 rows, a fifth of each tested; the first half of the classes cut to a tenth on demand."""
    y = np.repeat(["often", "seldom", "rare"], [60, 30, 10])
    config, notes = settle(written(tmp_path / "a.npz", y))
    frozen = FrozenConfigDict(config)
    found = facts(check_data(config, frozen, range(2)), frozen, 0, notes)
    assert found["classes"] == ["often", "rare", "seldom"] and found["shape"] == [5] and found["rows"] == 100
    assert found["counts"] == found["left"] == [48, 8, 24] and found["tested"] == [12, 2, 6]
    assert found["notes"] == list(notes) and found["constant"] == 0
    x_train = problem.load_arrays(frozen).inputs
    np.testing.assert_allclose(found["range"], [x_train.min(), x_train.max()], rtol=1e-5)
    cut = FrozenConfigDict(config | {"minority": (0,), "minority_ratio": 0.5})
    assert facts(problem.load_dataset(cut), cut, 0)["left"] == [24, 8, 24]
