"""Folders of images become data sets."""

import numpy as np
import pytest
from PIL import Image

from alfamous_jax import datasets
from tools import image_folder


def paint(path, value, shape=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    for i in range(10):
        paint(tmp_path / "photos" / "crazing" / f"{i:02}.png", 10 * i)
    for i in range(3):
        paint(tmp_path / "photos" / "patches" / f"{i}.BMP", 200 + i)
    (tmp_path / "photos" / "patches" / "notes.txt").write_text("not an image")
    (tmp_path / "photos" / "README").write_text("not a class")
    return tmp_path / "photos"


@pytest.mark.parametrize(("grey", "shape"), [(False, (5, 5, 3)), (True, (5, 5))], ids=["colour", "grey"])
def test_a_folder_of_classes(folder, grey, shape):
    """A fifth of ten is held out evenly, the third and the eighth; of three it is one, in the middle."""
    target = folder.parent / "photos.npz"
    counts = image_folder.convert(folder, target, size=5, grey=grey)
    assert counts == {"crazing": (8, 2), "patches": (2, 1)}
    data = datasets.load(str(target), num_classes=2)
    assert data.x_train.shape == (10, *shape) and data.x_train.dtype == np.uint8
    np.testing.assert_array_equal(data.y_train, [0] * 8 + [1] * 2)
    first = [image.flat[0] for image in data.x_test]
    assert first == [20, 70, 201]
    assert data.scaling == "channel"
    assert np.load(target)["classes"].tolist() == ["crazing", "patches"]
    assert not list(target.parent.glob("*.tmp"))


def test_squares_are_cut_from_the_middle(folder):
    """A wide image, white but for its ends."""
    pixels = np.zeros((10, 30), np.uint8)
    pixels[:, 6:24] = 255
    Image.fromarray(pixels).save(folder / "patches" / "1.png")
    target = folder.parent / "photos.npz"
    image_folder.convert(folder, target, size=4, grey=True)
    assert (datasets.load(str(target), num_classes=2).x_test[-1] > 250).all()


def test_command(folder, capsys):
    target = str(folder.parent / "photos.npz")
    assert image_folder.main([str(folder), target, "--size", "4", "--grey", "--test-share", ".5"]) == 0
    assert capsys.readouterr().out == (
        "crazing: 5 for training, 5 for the test\npatches: 1 for training, 2 for the test\n"
        "passed over, no images by their name, or no files: 1\n"
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "crazing" / "05.png").write_text("no"), r"05.png: not a readable image"),
        (lambda folder: (folder / "void").mkdir(), r"void: no images"),
    ],
    ids=["damaged", "empty class"],
)
def test_what_cannot_be_read_is_named(folder, capsys, spoil, message):
    spoil(folder)
    target = folder.parent / "photos.npz"
    assert image_folder.main([str(folder), str(target), "--size", "4"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not target.exists()


def test_a_folder_without_classes(tmp_path):
    with pytest.raises(ValueError, match="needs a subfolder for each of at least two classes, has 0"):
        image_folder.convert(tmp_path, tmp_path / "x.npz", size=4)
    with pytest.raises(
        ValueError, match="size must be at least 1 and at most 4096 and test_share between 0 .* got 4 and 1.0"
    ):
        image_folder.convert(tmp_path, tmp_path / "x.npz", size=4, test_share=1.0)
