"""Pools made harder on purpose: counted by hand, and seen from a run."""

import numpy as np
import pytest
from data_files import write

from alfamous_jax.datasets import Dataset, Pool
from configs.base import get_base
from experiments.learning import conditions
from experiments.run import run

LABELS = np.repeat(np.arange(4, dtype=np.int32), [400, 300, 200, 100])


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_so_many_answers_are_wrong_and_all_other_classes_are_named_alike(noise):
    said = conditions.answers(LABELS, 4, noise, seed=0)
    wrong = said != LABELS
    assert said.dtype == LABELS.dtype and set(said) <= set(range(4))
    assert abs(wrong.mean() - noise) <= 3 * np.sqrt(noise * (1 - noise) / 1000)
    for label in range(4):
        others = np.bincount(said[wrong & (LABELS == label)], minlength=4)
        assert others[label] == 0 and np.ptp(np.delete(others, label)) <= 0.5 * max(others.sum(), 1)


def test_a_larger_noise_errs_on_the_rows_of_a_smaller_one_too():
    few, many = (conditions.answers(LABELS, 4, noise, seed=3) for noise in (0.1, 0.4))
    wrong = few != LABELS
    assert wrong.any() and (many[wrong] == few[wrong]).all() and (many != LABELS).sum() > 2 * wrong.sum()
    assert (conditions.answers(LABELS, 4, 0.4, seed=4) != many).any()


def test_one_class_has_no_other():
    np.testing.assert_array_equal(conditions.answers(np.zeros(5, np.int32), 1, 0.5, seed=0), np.zeros(5))


def test_copies_stand_behind_each_other():
    rows = np.arange(6.0).reshape(3, 2)
    data = conditions.with_copies(Dataset(rows, np.array([0, 1, 1]), rows[:1], np.array([0]), 2), 3)
    np.testing.assert_array_equal(data.x_train, np.concatenate([rows, rows, rows]))
    assert data.y_train.tolist() == [0, 1, 1] * 3 and len(data.x_test) == 1 and "3 times" in data.notes[0]


def test_rows_of_a_file_are_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(ValueError, match="config.copies"):
        conditions.with_copies(Dataset(mapped, np.zeros(3, int), mapped, np.zeros(3, int), 2), 2)


def test_the_rarest_classes_of_the_pool_are_unseen():
    """Of the pool, not of the training set: there class 0 has one row; padding counts for nothing."""
    rows = np.array([0, 400, 401, 402, 700, 701, 900, 901, 902, 0, 0])
    pool = Pool(rows, np.arange(11) < 9, np.zeros(11, bool))
    seen = conditions.without_unseen(pool, LABELS, 4, 2)
    assert LABELS[rows[seen.available]].tolist() == [1, 1, 1, 3, 3, 3]
    assert conditions.without_unseen(pool, LABELS, 4, 0).available.sum() == 9


@pytest.mark.slow
def test_a_run_learns_from_the_answers_and_starts_without_the_unseen(tmp_path, capsys):
    rng, y = np.random.default_rng(0), np.repeat(np.arange(3), [60, 40, 20])
    x = (rng.normal(size=(120, 5)) + 3 * np.eye(3, 5)[y]).astype(np.float32)
    data = write(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    fields = {"num_classes": 3, "strategies": ("random",), "seeds": 2, "initial": 20, "budget": 5, "cycles": 1}
    fields |= {"backbone": "identity", "head": "map", "ridge": "auto", "minority_share": 0.0, "parallel": "vmap"}
    config = get_base().to_dict() | fields | {"dataset": data}
    records = run(config | {"label_noise": 0.4, "copies": 2, "unseen": 1}, tmp_path / "harder")
    said = conditions.answers(np.tile(y, 2), 3, 0.4, seed=0)
    for record in (record for record in records if record["cycle"] == 1):
        first = next(r for r in records if (r["seed"], r["cycle"]) == (record["seed"], 0))
        added = np.bincount(said[first["selected"]], minlength=3)
        assert (np.array(record["counts"]) == np.array(first["counts"]) + added).all()
        assert max(first["selected"]) < 240 and first["train_accuracy"] < 1
    printed = capsys.readouterr().out
    assert "in the pool 2 times" in printed and "40% of the answers are wrong" in printed
    with pytest.raises(ValueError, match="config.unseen: without the 2 rarest classes the smallest pool has 60 rows"):
        run(config | {"unseen": 2, "initial": 70, "budget": 5}, tmp_path / "none")
    clean = run(config | {"unseen": 1}, tmp_path / "unseen")
    assert all(record["counts"][2] == 0 for record in clean if record["cycle"] == 0)
