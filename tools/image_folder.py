"""A folder of images, one subfolder for each class, as the `.npz` file that every config takes.

    python tools/image_folder.py photos photos.npz --size 64 --grey
    python -m experiments.run --config=configs/vabal.py:neu --config.dataset=photos.npz --config.num_classes=K ...

Classes are numbered in the order of their names, which the file keeps as `classes`. Every image is cut to a square
about its middle and scaled to the size. Of each class a share is held out, evenly over its file names.
"""

import argparse
import os
import pathlib
import secrets
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def convert(folder, target, size: int, grey: bool = False, test_share: float = 0.2) -> dict[str, tuple[int, int]]:
    """Writes x_train, y_train, x_test, y_test and classes.

    Args:
      folder: with a subfolder for each class; other files in it are passed over.
      target: the `.npz` to write, replaced at once.
      size: pixels of a side.
      grey: [size, size] an image instead of [size, size, 3].
      test_share: of each class, rounded; at least one image of a class stays for training.

    Returns:
      class -> images for training and for the test. ValueError, before anything is written, for a folder without
      classes, a class without images and an image that cannot be read.
    """
    folder, target = pathlib.Path(folder), pathlib.Path(target)
    if size < 1 or not 0 < test_share < 1:
        raise ValueError(f"size must be at least 1 and test_share between 0 and 1, got {size} and {test_share}")
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    if len(names) < 2:
        raise ValueError(f"{folder}: needs a subfolder for each of at least two classes, has {len(names)}")
    paths = [sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES) for name in names]
    if empty := [name for name, own in zip(names, paths, strict=True) if not own]:
        raise ValueError(f"{folder / empty[0]}: no images ({', '.join(SUFFIXES)})")
    parts = {part: ([], []) for part in ("train", "test")}
    labelled = [(path, label, tested) for label, own in enumerate(paths) for path, tested in _held_out(own, test_share)]
    console = Console(stderr=True)
    for path, label, tested in track(labelled, "reading", console=console, disable=not console.is_terminal):
        images, labels = parts["test" if tested else "train"]
        images.append(_read(path, size, grey))
        labels.append(label)
    arrays = {f"x_{part}": np.array(images) for part, (images, _) in parts.items()}
    arrays |= {f"y_{part}": np.array(labels) for part, (_, labels) in parts.items()}
    _write(target, arrays | {"classes": np.array(names)})
    return {name: tuple(labels.count(k) for _, labels in parts.values()) for k, name in enumerate(names)}


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr for what cannot be converted."""
    parser = argparse.ArgumentParser(prog="python -m experiments.image_folder", description="Images to an .npz file.")
    parser.add_argument("folder", help="a subfolder for each class")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--size", type=int, required=True, help="pixels of a side")
    parser.add_argument("--grey", action="store_true", help="one channel")
    parser.add_argument("--test-share", type=float, default=0.2, help="of each class (default .2)")
    try:
        counts = convert(**vars(parser.parse_args(args)))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, (train, test) in counts.items():
        print(f"{name}: {train} for training, {test} for the test")
    return 0


def _write(target, arrays):
    """An `.npz` file, replaced at once; until then it has a name that nobody can foresee and is nobody's link."""
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    file = temporary.open("xb")
    try:
        with file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _held_out(paths, share):
    """(path, whether it is tested), the tested ones evenly over the class."""
    num = min(round(share * len(paths)), len(paths) - 1)
    tested = {(2 * i + 1) * len(paths) // (2 * num) for i in range(num)}
    return [(path, i in tested) for i, path in enumerate(paths)]


def _read(path, size, grey):
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.fit(image.convert("L" if grey else "RGB"), (size, size)))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error})") from None


if __name__ == "__main__":
    sys.exit(main())
