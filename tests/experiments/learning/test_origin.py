"""What decides a run's results and stands in no config is known by its digest."""

import sys

import numpy as np
import pytest
from ml_collections import FrozenConfigDict

from configs.base import get_base
from experiments.learning import origin, problem

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 4)).astype(np.float32), RNG.permutation(np.repeat(np.arange(3), 10))
ARRAYS = {"x_train": X[:20], "y_train": Y[:20], "x_test": X[20:], "y_test": Y[20:]}


def config_of(**changes):
    for function in (problem.load_dataset, problem.load_arrays, problem.load_data):
        function.cache_clear()
    return FrozenConfigDict(get_base().to_dict() | {"num_classes": 3, "strategies": ("us",), "source": ""} | changes)


def changed():
    """Every array of the data set in turn, in one value; labels permuted; rows shuffled."""
    for name, array in ARRAYS.items():
        other = array.copy()
        other[3] = other[4] if other[3].tolist() != other[4].tolist() else (other[3] + 1) % 3
        if not np.array_equal(other, array):
            yield name, ARRAYS | {name: other}
    yield "permuted", ARRAYS | {"y_train": (ARRAYS["y_train"] + 1) % 3}
    yield "shuffled", ARRAYS | {"x_train": X[:20][::-1], "y_train": Y[:20][::-1]}
    yield "names", ARRAYS | {"classes": np.array(["a", "b", "c"])}
    yield "source_probs", ARRAYS | {"source_probs_train": np.full((20, 2), 0.5)}


def test_a_file_is_known_by_its_arrays(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **ARRAYS)
    first = origin.of(config_of(dataset=str(path)))
    assert first.keys() == {"dataset"} and first["dataset"]["from"] == str(path)
    np.savez_compressed(path, **ARRAYS)
    assert origin.of(config_of(dataset=str(path))) == first, "the same arrays, packed in another way"
    seen = {first["dataset"]["sha256"]}
    for name, arrays in changed():
        np.savez(path, **arrays)
        digest = origin.of(config_of(dataset=str(path)))["dataset"]["sha256"]
        assert digest not in seen, name
        seen.add(digest)
    assert len(seen) >= 8


def test_a_file_in_the_data_directory_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ALFAMOUS_DATA_DIR", str(tmp_path))
    np.savez(tmp_path / "mine.npz", **ARRAYS)
    assert origin.of(config_of(dataset="mine"))["dataset"]["from"] == str(tmp_path / "mine.npz")
    packaged = origin.of(config_of(dataset="letter", num_classes=26))["dataset"]["from"]
    assert packaged.endswith("datasets/letter.npz")


def test_rows_that_stay_in_their_file_are_read_for_the_run_alone(tmp_path):
    folder = tmp_path / "pool"
    folder.mkdir()
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    config = config_of(dataset=f"{folder}/")
    first, held = origin.of(config), origin.held(config)
    assert first == held | {"rows": first["rows"]} and first["rows"]["from"] == str(folder / "x_train.npy")
    np.save(folder / "x_train.npy", ARRAYS["x_train"][::-1])
    config = config_of(dataset=f"{folder}/")
    assert origin.of(config)["rows"]["sha256"] != first["rows"]["sha256"] and origin.held(config) == held
    np.save(folder / "y_train.npy", ARRAYS["y_train"][::-1])
    assert origin.held(config_of(dataset=f"{folder}/")) != held


def test_a_source_network_is_known_by_its_arrays(tmp_path):
    path, data = tmp_path / "source.npz", tmp_path / "mine.npz"
    np.savez(data, **ARRAYS)
    np.savez(path, w=X)
    first = origin.of(config_of(dataset=str(data), source=str(path)))
    assert first["source"]["from"] == str(path)
    np.savez(path, w=X + 1)
    second = origin.of(config_of(dataset=str(data), source=str(path)))
    assert second["dataset"] == first["dataset"] and second["source"]["sha256"] != first["source"]["sha256"]
    assert origin.word(config_of(dataset=str(data), source=str(path))) == "-".join(x["sha256"] for x in second.values())


MODULE = """import numpy as np
def load():
    return {"x": np.eye(30, 4), "y": np.arange(30) % 3}
def select(key, view, lam, budget):
    return None
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "mine_of_origin.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "mine_of_origin.py"
    sys.modules.pop("mine_of_origin", None)


def test_code_of_the_user_s_own_is_known_by_its_file(module):
    name = module.stem
    config = config_of(dataset=f"{name}:load", strategies=(f"{name}:select@8", "us"))
    assert origin.of(config)["dataset"]["from"] == f"{name}:load"
    before = origin.code(config)
    assert before.keys() == {name} and origin.code(config_of(dataset="letter", num_classes=26)) == {}
    module.write_text(MODULE + "# another\n")
    assert origin.code(config)[name] != before[name]
    single_stage = config_of(dataset=f"{name}:load", strategies=(5,), selections=("random",))
    assert origin.code(single_stage).keys() == {name}
