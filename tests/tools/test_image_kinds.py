"""Images that are more than 8 bits of grey or colour, and folders that hold more than images."""

import os
import socket

import numpy as np
import pytest
from PIL import Image

from alfamous_jax import datasets
from tools import image_folder


def save(path, pixels, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **settings)


def flat(value, dtype, shape=(9, 9)):
    return np.full(shape, value, dtype)


def fill(folder, images, suffix=".tif"):
    """Two images of each class, all pixels alike: name -> pixels."""
    for name, pixels in images.items():
        for i in range(2):
            save(folder / name / f"{i}{suffix}", pixels)
    return folder


def converted(folder, said=None, **settings):
    """Class -> its images."""
    target = folder.parent / "x.npz"
    image_folder.convert(folder, target, 4, say=(said if said is not None else []).append, **settings)
    assert [path.name for path in folder.parent.iterdir() if path != folder] == ["x.npz"], "no temporary file is left"
    data = datasets.load(str(target), 0)
    return {name: data.x_train[data.y_train == k] for k, name in enumerate(data.class_names)}


@pytest.mark.parametrize(
    ("suffix", "low", "high", "dtype"),
    [
        (".tif", flat(300, np.uint16), flat(20_000, np.uint16), np.uint16),
        (".png", flat(300, np.uint16), flat(60_000, np.uint16), np.uint16),
        (".tif", flat(-7, np.int32), flat(70_000, np.int32), np.int32),
        (".tif", flat(0.25, np.float32), flat(0.5, np.float32), np.float32),
        (".tif", flat(-1.5, np.float32), flat(3e4, np.float32), np.float32),
    ],
    ids=["16 bits", "16 bits, png", "32 bits", "floats up to 1", "other floats"],
)
@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
def test_numbers_beyond_8_bits_stay_as_they_are(tmp_path, suffix, low, high, dtype, grey):
    found = converted(fill(tmp_path / "in", {"a": low, "b": high}, suffix), grey=grey)
    for name, pixels in (("a", low), ("b", high)):
        assert found[name].dtype == dtype and found[name].shape[1:] == ((4, 4) if grey else (4, 4, 3))
        np.testing.assert_array_equal(found[name], pixels[0, 0])


def test_an_image_of_16_bits_is_scaled_like_one_of_8(tmp_path):
    """Interpolation neither cuts nor goes beyond the numbers that are there."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12)).astype(np.uint8)
    plain = converted(fill(tmp_path / "8" / "in", {"a": pixels, "b": pixels}), grey=True)["a"]
    wide = converted(fill(tmp_path / "16" / "in", dict.fromkeys("ab", pixels.astype(np.uint16) * 257)), grey=True)["a"]
    np.testing.assert_allclose(wide / 257, plain, atol=1)
    edge = np.where(np.arange(12) < 6, 0, 65535).astype(np.uint16) * np.ones((12, 1), np.uint16)
    sharp = converted(fill(tmp_path / "edge" / "in", {"a": edge, "b": edge}), grey=True)["a"]
    assert sharp.min() == 0 and sharp.max() == 65535


REFUSED = {
    "two modes": (
        flat(5, np.uint16),
        flat(0.5, np.float32),
        r"b/0.tif: holds floats, .*a/0.tif whole numbers beyond 8",
    ),
    "8 and 16 bits": (
        flat(5, np.uint8),
        flat(5, np.uint16),
        r"b/0.tif: holds whole numbers beyond 8 bits, .*a/0.tif 8",
    ),
    "a NaN": (flat(0.5, np.float32), flat(np.nan, np.float32), r"b/0.tif: not a readable image .mode F with a NaN"),
    "large integers": (flat(1, np.int32), flat(2**30, np.int32), r"b/0.tif: .*mode I with .* beyond 16,777,216"),
}


@pytest.mark.parametrize("a, b, message", REFUSED.values(), ids=REFUSED)
def test_numbers_that_do_not_go_together(tmp_path, a, b, message):
    with pytest.raises(ValueError, match=message):
        converted(fill(tmp_path / "in", {"a": a, "b": b}))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".png", ".webp"])
def test_several_frames_are_refused(tmp_path, suffix):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)})
    frames = [Image.fromarray(flat(v, np.uint8)) for v in (10, 90, 200)]
    frames[0].save(folder / "a" / f"many{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(
        ValueError, match=rf"many{suffix}: not a readable image .it holds 3 frames or pages; save the one"
    ):
        converted(folder)


def test_transparent_places_need_a_background(tmp_path):
    clear = flat(90, np.uint8, (9, 9, 4))
    clear[:, :, 3] = 0
    folder = fill(tmp_path / "in", {"a": clear, "b": flat(90, np.uint8, (9, 9, 4))}, ".png")
    clear[:, :, 3] = 255
    for i in range(2):
        save(folder / "b" / f"{i}.png", clear)
    with pytest.raises(
        ValueError, match=r"a/0.png: .*mode RGBA has transparent places; .* --background white or black"
    ):
        converted(folder)
    for background, value in (("white", 255), ("black", 0)):
        said = []
        found = converted(folder, said, background=background, grey=True)
        assert (found["a"] == value).all() and (found["b"] == 90).all(), "all of b is opaque"
        assert said == [f"images with transparent places, laid on {background}: 2"]


def test_a_transparent_palette(tmp_path):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)}, ".png")
    Image.fromarray(flat(3, np.uint8)).convert("P").save(folder / "a" / "0.png", transparency=3)
    with pytest.raises(ValueError, match="a/0.png: .*mode P has transparent places"):
        converted(folder)


def test_photographs_are_turned_upright(tmp_path):
    """Orientation 6: the first row as stored is the right side."""
    stored = np.zeros((32, 32), np.uint8)
    stored[:8] = 255
    folder = fill(tmp_path / "in", {"a": stored, "b": stored}, ".png")
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(2):
        save(folder / "a" / f"{i}.png", stored, exif=exif)
    said = []
    found = converted(folder, said, grey=True)
    assert (found["a"][0][:, 3] > 200).all() and (found["a"][0][:, 0] < 50).all()
    assert (found["b"][0][0] > 200).all() and said == ["images turned as their orientation tag says: 2"]


def test_what_is_no_image_is_passed_over_and_said(tmp_path, monkeypatch):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8), ".thumbs": flat(7, np.uint8)})
    outside = fill(tmp_path / "out" / "in", {"secret": flat(1, np.uint8)})
    (folder / "a" / "._0.tif").write_bytes(b"of a Mac")
    (folder / "a" / "leads.tif").symlink_to(outside / "secret" / "0.tif")
    (folder / "secret").symlink_to(outside / "secret", target_is_directory=True)
    (folder / "a" / "round.tif").symlink_to("round.tif")
    (folder / "b" / "within.tif").symlink_to(folder / "b" / "0.tif")
    (folder / "b" / "more").mkdir()
    os.mkfifo(folder / "b" / "pipe.tif")
    with socket.socket(socket.AF_UNIX) as door:
        monkeypatch.chdir(folder / "b")  # the name of a socket has a hundred letters at most
        door.bind("door.tif")
    said = []
    counts = image_folder.convert(folder, tmp_path / "x.npz", 4, say=said.append)
    assert counts == {"a": (1, 1), "b": (2, 1)}
    assert said == [
        "passed over, hidden: 2",
        "passed over, links that lead out of the folder: 2",
        "passed over, no images by their name, or no files: 3",
        "passed over, folders within a class: 1",
    ]


def test_classes_of_few_images(tmp_path, capsys):
    """One image stays in training, of two one is tested, and without a test image there is no file."""
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)})
    (folder / "b" / "1.tif").unlink()
    assert image_folder.convert(folder, tmp_path / "x.npz", 4) == {"a": (1, 1), "b": (1, 0)}
    assert len(datasets.load(str(tmp_path / "x.npz"), 2).x_test) == 1
    (folder / "a" / "1.tif").unlink()
    (tmp_path / "x.npz").unlink()
    assert image_folder.main([str(folder), str(tmp_path / "x.npz"), "--size", "4"]) == 2
    assert "no class has two images, one to learn from and one to test" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


def test_links_alone_are_no_images(tmp_path):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8)})
    outside = fill(tmp_path / "out", {"b": flat(5, np.uint8)})
    (folder / "b").mkdir()
    (folder / "b" / "0.tif").symlink_to(outside / "b" / "0.tif")
    with pytest.raises(ValueError, match=r"in/b: no images .*; passed over, links that lead out of the folder: 1$"):
        converted(folder)


def test_no_other_format_is_decoded(tmp_path):
    """PostScript under the name of a photograph would start an interpreter."""
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)})
    Image.fromarray(flat(3, np.uint8)).save(folder / "a" / "0.tif", format="EPS")
    with pytest.raises(ValueError, match="a/0.tif: not a readable image .cannot identify image file"):
        converted(folder)


@pytest.mark.parametrize("name", ["x", "nowhere/x.npz", "folder.npz"])
def test_targets(tmp_path, name):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)})
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match="the target must be a file called .npz, in a folder that exists"):
        image_folder.convert(folder, tmp_path / name, 4)


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    folder = fill(tmp_path / "in", {"a": flat(5, np.uint8), "b": flat(9, np.uint8)})
    monkeypatch.setattr(image_folder.secrets, "token_hex", lambda _: "0")
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "x.npz.0.tmp").symlink_to(tmp_path / "theirs")
    with pytest.raises(FileExistsError):
        image_folder.convert(folder, tmp_path / "x.npz", 4)
    assert (tmp_path / "theirs").read_text() == "theirs" and (tmp_path / "x.npz.0.tmp").is_symlink()
