"""Checkpoints: what comes back is what was saved, or it is refused."""

import shutil

import jax
import numpy as np
import pytest

from experiments.learning import checkpoint
from experiments.learning.checkpoint import State

RECORDS = [{"strategy": "us", "seed": 0, "cycle": 0, "accuracy": 0.731, "counts": [3, 1], "curve": {"0.1": [1.5]}}]
START = State(0, {"indices": np.zeros((1, 6), np.int32), "variables": {"w": np.zeros((4, 5), np.float32)}}, [])
STATE = State(1, jax.tree.map(lambda x: x + np.arange(x.size, dtype=x.dtype).reshape(x.shape), START.arrays), RECORDS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "us-seed0"
    with checkpoint.manager(folder, "data-1") as checkpoints:
        checkpoint.save(checkpoints, STATE, "data-1")
        checkpoint.save(checkpoints, STATE._replace(cycle=2, records=RECORDS * 2), "data-1")
    return folder


def restored(folder, origin="data-1"):
    with checkpoint.manager(folder, origin) as checkpoints:
        return checkpoint.restore(checkpoints, START)


def test_what_comes_back_is_what_was_saved(saved, tmp_path):
    assert restored(tmp_path / "us-seed0") is START
    state = restored(saved)
    assert state.cycle == 2 and state.records == RECORDS * 2
    jax.tree.map(np.testing.assert_array_equal, state.arrays, STATE.arrays)


def test_litter_beside_the_cycles_is_passed_over(saved, tmp_path):
    folder = tmp_path / "us-seed0"
    shutil.copytree(saved, folder)
    for place in (folder, folder / "1"):
        for name in (".DS_Store", ".nfs0001", "Thumbs.db"):
            (place / name).write_text("")
    assert restored(folder).cycle == 2


def test_a_copy_of_another_cycle_or_group_is_not_believed(saved, tmp_path):
    folder = tmp_path / "us-seed0"
    shutil.copytree(saved, folder)
    shutil.copytree(folder / "1", folder / "7")
    reason = r"\(its seal.json is damaged, or of another cycle or group\); delete it to go on from the one before"
    with pytest.raises(ValueError, match=f"checkpoint {folder / '7'} cannot be read {reason}"):
        restored(folder)
    shutil.rmtree(folder / "7")
    shutil.copy(folder / "0" / "records" / "metadata", folder / "1" / "records" / "metadata")
    with pytest.raises(ValueError, match=f"checkpoint {folder / '1'} cannot be read .records/metadata is damaged"):
        restored(folder)
    other = tmp_path / "us-seed1"
    shutil.copytree(saved, other)
    with pytest.raises(ValueError, match=f"checkpoint {other / '1'} cannot be read {reason}"):
        restored(other)


def test_what_is_wrong_with_an_earlier_cycle_is_no_matter(saved, tmp_path, caplog):
    """Nor is it printed; one may be half deleted where a process was killed."""
    folder = tmp_path / "us-seed0"
    shutil.copytree(saved, folder)
    for text in ("{", ""):
        (folder / "0" / "_CHECKPOINT_METADATA").write_text(text)
        assert restored(folder).cycle == 2
    (folder / "0" / "_CHECKPOINT_METADATA").unlink()
    with checkpoint.manager(folder, "data-1") as checkpoints:
        checkpoint.save(checkpoints, STATE._replace(cycle=3), "data-1")
    assert restored(folder).cycle == 3 and not (folder / "0").exists() and caplog.records == []


def test_other_data_are_refused_by_the_checkpoint_too(saved):
    with pytest.raises(ValueError, match=f"checkpoint {saved / '1'} was written with other data .*data-1, now data-2"):
        restored(saved, "data-2")


def test_a_cycle_that_was_not_sealed_is_done_again(saved, tmp_path):
    """Its process was killed between the two; what more than one cycle lacks is no such case."""
    folder = tmp_path / "us-seed0"
    shutil.copytree(saved, folder)
    (folder / "1" / "seal.json").unlink()
    state = restored(folder)
    assert state.cycle == 1 and state.records == RECORDS and not (folder / "1").exists()
    with checkpoint.manager(folder, "data-1") as checkpoints:
        checkpoint.save(checkpoints, STATE._replace(cycle=2), "data-1")
    assert restored(folder).cycle == 2
    for cycle in "01":
        (folder / cycle / "seal.json").unlink()
    with pytest.raises(ValueError, match=f"checkpoint {folder / '1'} cannot be read .it has no seal.json.; delete it"):
        restored(folder)
    shutil.rmtree(folder / "1")
    assert restored(folder) is START and not (folder / "0").exists()


@pytest.mark.slow
def test_a_flipped_bit_in_any_file_is_refused(saved, tmp_path):
    rng = np.random.default_rng(0)
    paths = [path.relative_to(saved) for path in sorted((saved / "1").rglob("*")) if path.is_file()]
    assert len(paths) > 10
    folder = tmp_path / "us-seed0"
    shutil.copytree(saved, folder)
    for path in paths:
        content = (folder / path).read_bytes()
        place, bit = rng.integers(len(content)), 1 << rng.integers(8)
        (folder / path).write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        with pytest.raises(ValueError, match=f"checkpoint {folder / '1'} cannot be read .*; delete it to go on"):
            restored(folder)
        (folder / path).write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match=f"checkpoint {folder / '1'} cannot be read .*; delete it to go on"):
            restored(folder)
        (folder / path).write_bytes(content)
    assert restored(folder).cycle == 2
