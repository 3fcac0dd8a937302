"""What the driver makes of rows: images are distorted within their own range, series are told, bad rows are named."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import lanes, tiny

from configs import own
from experiments.learning import active, problem, schemes
from experiments.learning.check import check, check_data, facts
from experiments.learning.settle import settle

RNG = np.random.default_rng(0)
SHADES = RNG.integers(0, 256, size=(12, 6, 6)).astype(np.uint8)
SHADES[0, 0, :2] = 0, 255


def saved(tmp_path, x, **changes):
    """A config on a file of these rows, their labels 0, 1, 0, 1, ..."""
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(len(x)) % 2)
    return FrozenConfigDict(tiny(dataset=str(tmp_path / "x.npz"), num_classes=2, test_rows=2, **changes))


def test_a_row_too_far_to_scale_is_named_before_anything_is_written(tmp_path):
    x = RNG.normal(size=(12, 4))
    x[:, 1] *= 1e-3
    x[11, 1] = 3e36
    config = saved(tmp_path, x)
    problem.load_dataset.cache_clear()
    with pytest.raises(ValueError, match=r"^config.dataset: .*x.npz: x_test\[1, 1\] is 3e\+36, .* deviations from"):
        check_data(config.to_dict(), config, range(1))


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["affine", "flip_and_crop"])
def test_distortions_go_by_the_range_of_the_images(tmp_path, augment):
    """The same images in [-1, 1], in 16 bits and in 8 are distorted alike, and what comes in from outside is black."""
    ranges = {"8": SHADES, "16": SHADES.astype(np.uint16) * 257, "-1 to 1": SHADES / 127.5 - 1}
    moved = {}
    for name, x in ranges.items():
        config = saved(tmp_path, x, augment=augment, backbone="resnet6")
        problem.load_dataset.cache_clear()
        inputs = problem.load_arrays(config).inputs
        problem.load_arrays.cache_clear()
        moved[name] = np.asarray(schemes.training(config)["augment"](jax.random.key(0), jnp.asarray(inputs)))
        assert np.abs(moved[name] - inputs).max() > 0.5
        assert inputs.min() - 1e-4 <= moved[name].min() and moved[name].max() <= inputs.max() + 1e-4
        assert augment == "affine" or (np.abs(moved[name] - inputs.min()) < 1e-4).mean() > 0.02
    for name in ("16", "-1 to 1"):
        np.testing.assert_allclose(moved[name], moved["8"], atol=1e-4)


def test_series_are_not_distorted(tmp_path):
    config = saved(tmp_path, RNG.normal(size=(12, 20, 2)), augment="affine", backbone="resnet6")
    with pytest.raises(
        ValueError, match=r"config.augment: 'affine' takes images, rows of shape \(20, 2\) are taken for"
    ):
        check_data(config.to_dict(), config, range(1))


@pytest.mark.parametrize(
    ("shape", "changes", "scaling"),
    [
        ((30,), {}, "feature"),
        ((30,), {"backbone": "tcn"}, "series"),
        ((30,), {"scaling": "series"}, "series"),
        ((30,), {"backbone": "tcn", "scaling": "feature"}, "feature"),
        ((30, 2), {}, "series"),
        ((30, 25), {}, "channel"),
        ((30, 25), {"backbone": "tcn"}, "series"),
        ((30, 25, 3), {"backbone": "resnet6"}, "channel"),
    ],
)
def test_what_rows_are_taken_for(tmp_path, shape, changes, scaling):
    config = saved(tmp_path, RNG.normal(size=(12, *shape)), **{"scaling": "auto"} | changes)
    problem.load_dataset.cache_clear()
    assert problem.load_dataset(config).scaling == scaling


@pytest.mark.slow
@pytest.mark.parametrize("shape, how", [((30,), "series"), ((30, 2), "auto")])
def test_series_get_a_network_of_their_own(tmp_path, shape, how):
    np.savez(tmp_path / "x.npz", x=RNG.normal(size=(60, *shape)), y=np.arange(60) % 3)
    config = {**own.get_config().to_dict(), "dataset": str(tmp_path / "x.npz"), "scaling": how}
    settled, notes = settle(config)
    assert (settled["backbone"], settled["head"]) == ("tcn", "linear")
    assert (settled["optimizer"], settled["learning_rate"]) == ("adam", 1e-3)
    check(settled)
    assert settle(config | {"learning_rate": 0.5})[0]["learning_rate"] == 0.5, "a number stays"
    assert any(f"the rows of shape {' x '.join(map(str, shape))} are series." in note for note in notes)
    assert problem.load_dataset(FrozenConfigDict(settled)).scaling == "series"


@pytest.fixture
def folder(tmp_path):
    """A folder of `.npy` files with one bad number."""

    def save(bad, **changes):
        x = RNG.normal(size=(40, 4)).astype(np.float32)
        x[17, 3] = bad
        (tmp_path / "pool").mkdir(exist_ok=True)
        for part, rows in (("train", x), ("test", x[:8])):
            np.save(tmp_path / "pool" / f"x_{part}.npy", rows)
            np.save(tmp_path / "pool" / f"y_{part}.npy", np.arange(len(rows)) % 2)
        how = {"dataset": str(tmp_path / "pool"), "num_classes": 2, "test_rows": 0, "backbone": "identity"}
        problem.load_dataset.cache_clear()
        how |= {"initial": 4, "budget": 2, "kernel_scale": 4.0, "scaling": "auto"} | changes
        return FrozenConfigDict(tiny(**how, minority_share=0.0))

    return save


def test_a_bad_number_in_a_folder_is_named_before_anything_is_written(folder):
    config = folder(np.nan)
    with pytest.raises(
        ValueError, match=r"^config.dataset: .*/pool/x_train.npy: it has 1 NaN .*row 17, column 3, from 0"
    ):
        check_data(config.to_dict(), config, range(1))


@pytest.mark.parametrize("loss, num_invalid", [(np.nan, 0), (0.5, 1)], ids=["loss", "utility"])
def test_a_bad_number_in_a_split_pool_is_named_when_it_is_met(folder, loss, num_invalid):
    """Nothing has read all of the rows before; a learning rate is blamed where there is no such number."""
    config, picks = folder(np.nan, parallel="pool"), SimpleNamespace(num_invalid=num_invalid, num_selected=2)
    data = SimpleNamespace(inputs=np.zeros((1, 4)))
    task = {"lanes": lanes("us"), "problem": SimpleNamespace(data=data)}
    with pytest.raises(ValueError, match=r"/pool/x_train.npy: it has 1 NaN or .*row 17, column 3, from 0"):
        active._refuse_trouble(SimpleNamespace(config=config, **task), 0, 0, "network", np.array([loss]), picks)
    with pytest.raises(
        ValueError, match="us, seed 0, cycle 0: the training loss is not finite; lower|1 pool rows have"
    ):
        active._refuse_trouble(
            SimpleNamespace(config=folder(0.5, parallel="pool"), **task), 0, 0, "network", np.array([loss]), picks
        )


def test_numbers_too_large_for_a_cosine_are_said(folder):
    """The reach is 1e5 times the root of the kernel scale."""
    for number, said in ((1.9e5, False), (-2.1e5, True)):
        config = folder(number)
        notes = facts(check_data(config.to_dict(), config, range(1)), config, 0)["notes"]
        assert any("Features reach 2.1e+05: beyond 2e+05 the random features" in note for note in notes) == said
    other = FrozenConfigDict(config.to_dict() | {"head": "linear"})
    assert facts(problem.load_dataset(other), other, 0)["notes"] == []
