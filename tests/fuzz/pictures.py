"""Folders of images of many modes and formats, some of them damaged, with other things beside them."""

import os
import pathlib
import warnings

import numpy as np
from PIL import Image

from tests.fuzz import damage

MODES = {
    "L": (".png", ".jpg", ".gif", ".tif", ".bmp", ".webp", ".pgm"),
    "RGB": (".png", ".jpg", ".tif", ".webp", ".ppm"),
}
MODES |= {
    "RGBA": (".png", ".tif", ".webp"),
    "P": (".png", ".gif", ".tif"),
    "1": (".png", ".tif"),
    "LA": (".png", ".tif"),
}
MODES |= {"CMYK": (".jpg", ".tif"), "I;16": (".png", ".tif"), "I": (".tif",), "F": (".tif",), "LAB": (".tif",)}
TYPES = {"I;16": np.uint16, "I": np.int32, "F": np.float32}


def fill(folder: pathlib.Path, rng: np.random.Generator, outside: pathlib.Path) -> None:
    """Two or three classes of a few images; mostly of one mode, as mixtures are refused."""
    common = list(MODES)[rng.integers(len(MODES))] if rng.random() < 0.5 else "L"
    folder.mkdir()
    for name in ("a", "b", "é")[: rng.choice([1, 2, 3], p=[0.05, 0.6, 0.35])]:
        (folder / name).mkdir()
        for i in range(rng.choice([1, 2, 3], p=[0.1, 0.6, 0.3])):
            mode = common if rng.random() < 0.95 else list(MODES)[rng.integers(len(MODES))]
            path = folder / name / f"{i}{MODES[mode][rng.integers(len(MODES[mode]))]}"
            _save(path, mode, rng)
            if rng.random() < 0.08:
                path.write_bytes(damage.broken(path.read_bytes(), rng, 2))
            elif rng.random() < 0.01:
                damage.replaced(path, rng)
    if rng.random() < 0.2:
        _beside(folder, rng, outside)


def _save(path: pathlib.Path, mode: str, rng: np.random.Generator) -> None:
    shape = tuple(int(x) for x in rng.integers(1, 12, 2))
    if mode in TYPES:
        scale = [1, 300, 60_000, 2**31 - 1][rng.integers(3 if mode == "I;16" else 4)]
        image = Image.fromarray((rng.random(shape) * scale).astype(TYPES[mode]))
    else:
        bands = len(Image.new(mode, (1, 1)).getbands())
        pixels = rng.bytes(shape[0] * shape[1] * bands)
        image = Image.frombytes(mode, shape, pixels) if mode != "1" else Image.new("1", shape, 1)
    more = {}
    if rng.random() < 0.2 and path.suffix in (".jpg", ".png", ".tif", ".webp"):
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 12))
        more["exif"] = damage.broken(exif.tobytes(), rng, 1) if rng.random() < 0.3 else exif
    if rng.random() < 0.02 and path.suffix in (".gif", ".tif", ".png", ".webp"):
        more |= {"save_all": True, "append_images": [image.rotate(90)]}
    with warnings.catch_warnings(action="ignore"):
        try:
            image.save(path, **more)
        except Exception:  # what Pillow does not write in this format
            Image.new("L", shape).save(path)


def _beside(folder: pathlib.Path, rng: np.random.Generator, outside: pathlib.Path) -> None:
    """What is no image of the folder."""
    for i in range(rng.integers(1, 4)):
        place = [folder, folder / "a"][rng.integers(2)]
        name, how = f"{['.', ''][rng.integers(2)]}other{i}.png", rng.integers(0, 6)
        if how == 0:
            (place / name).symlink_to(outside / "kept")
        elif how == 1:
            (place / name).symlink_to(outside, target_is_directory=True)
        elif how == 2:
            (place / name).symlink_to(name)
        elif how == 3:
            os.mkfifo(place / name)
        elif how == 4:
            (place / name).mkdir()
        else:
            (place / os.fsdecode(b"\xff\xfe")).mkdir(exist_ok=True)
