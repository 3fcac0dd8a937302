"""A folder of images, one subfolder for each class, as the `.npz` file that every config takes.

    python tools/image_folder.py photos photos.npz --size 64 --grey
    python -m experiments.run --config=configs/vabal.py:neu --config.dataset=photos.npz --config.num_classes=K ...

Classes are numbered in the order of their names, which the file keeps as `classes`. Every image is turned as its
orientation tag says, cut to a square about its middle and scaled to the size. Of each class a share is held out, evenly
over its file names. Images of 16 bits and of floats keep their numbers. Hidden files and folders, links that lead out
of the folder, and what is no image by its name are passed over, and their number is said.
"""

import argparse
import os
import pathlib
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # what is decoded, whatever a file is called
LARGEST_SIZE = 4096
BACKGROUNDS = {"black": 0, "white": 255}
KINDS = {"whole": "whole numbers beyond 8 bits", "float": "floats", "byte": "8 bits"}
EXACT = 1 << 24  # whole numbers up to here are exact in float32


def convert(
    folder,
    target,
    size: int,
    grey: bool = False,
    test_share: float = 0.2,
    background: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, tuple[int, int]]:
    """Writes x_train, y_train, x_test, y_test and classes.

    Args:
      folder: with a subfolder for each class; what else is in it is passed over.
      target: the `.npz` to write, replaced at once.
      size: pixels of a side.
      grey: [size, size] an image instead of [size, size, 3].
      test_share: of each class, rounded; at least one image where there are two, and at least one stays for training.
      background: "black" or "white" lies behind transparent places; without it they are refused.
      say: takes what was done or passed over, a line each.

    Returns:
      class -> images for training and for the test.

    Raises:
      ValueError, OSError: before anything is written: a folder without classes, a class without images, an image that
        cannot be read, has several frames or transparent places, or other numbers than those before it.
    """
    folder, target = pathlib.Path(folder), pathlib.Path(target)
    if not 1 <= size <= LARGEST_SIZE or not 0 < test_share < 1:
        raise ValueError(
            f"size must be at least 1 and at most {LARGEST_SIZE} and test_share between 0 and 1, got {size} and "
            f"{test_share}"
        )
    if background not in (None, *BACKGROUNDS):
        raise ValueError(f"background must be {' or '.join(BACKGROUNDS)}, got {background}")
    if target.suffix != ".npz" or not target.parent.is_dir() or target.is_dir():
        raise ValueError(f"{target}: the target must be a file called .npz, in a folder that exists")
    passed: Counter[str] = Counter()
    files = _find(folder, passed)
    parts: dict[str, tuple[list, list]] = {part: ([], []) for part in ("train", "test")}
    labelled = [(p, k, tested) for k, own in enumerate(files.values()) for p, tested in _held_out(own, test_share)]
    if not any(tested for _, _, tested in labelled):
        raise ValueError(f"{folder}: no class has two images, one to learn from and one to test")
    console, seen = Console(stderr=True), Counter[str]()
    first: tuple[str, pathlib.Path] | None = None
    for path, label, tested in track(labelled, "reading", console=console) if console.is_terminal else labelled:
        image, kind = _read(path, size, grey, background, seen)
        first = first or (kind, path)
        if kind != first[0]:
            raise ValueError(f"{path}: holds {KINDS[kind]}, {first[1]} {KINDS[first[0]]}; bring all images to one mode")
        images, labels = parts["test" if tested else "train"]
        images.append(image)
        labels.append(label)
    arrays = {f"x_{part}": np.array(images) for part, (images, _) in parts.items()}
    arrays = _narrow(arrays) | {f"y_{part}": np.array(labels) for part, (_, labels) in parts.items()}
    _write(target, arrays | {"classes": np.array(list(files))})
    for what, number in [*seen.items(), *((f"passed over, {what}", number) for what, number in passed.items())]:
        say(f"{what}: {number}")
    return {name: tuple(labels.count(k) for _, labels in parts.values()) for k, name in enumerate(files)}


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr for what cannot be converted."""
    parser = argparse.ArgumentParser(prog="python -m experiments.image_folder", description="Images to an .npz file.")
    parser.add_argument("folder", help="a subfolder for each class")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--size", type=int, required=True, help="pixels of a side")
    parser.add_argument("--grey", action="store_true", help="one channel")
    parser.add_argument("--test-share", type=float, default=0.2, help="of each class (default .2)")
    parser.add_argument("--background", choices=tuple(BACKGROUNDS), help="behind transparent places; else refused")
    said: list[str] = []
    try:
        counts = convert(**vars(parser.parse_args(args)), say=said.append)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for name, (train, test) in counts.items():
        print(f"{name}: {train} for training, {test} for the test")
    for line in said:
        print(line)
    return 0


def _find(folder: pathlib.Path, passed: Counter[str]) -> dict[str, list[pathlib.Path]]:
    """The image files of each class in the order of their names; what is passed over is counted."""
    root = pathlib.Path(os.path.realpath(folder))
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not _is_outside(path, root, passed):
            try:
                path.name.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{str(path)!r}: the name of a class must be text") from None
            found[path.name] = path
    if len(found) < 2:
        raise ValueError(
            f"{folder}: needs a subfolder for each of at least two classes, has {len(found)}{_but(passed)}"
        )
    files = {}
    for name, place in found.items():
        here: Counter[str] = Counter()
        files[name] = [path for path in sorted(place.iterdir()) if _is_image(path, root, here)]
        if not files[name]:
            raise ValueError(f"{place}: no images ({', '.join(SUFFIXES)}){_but(here)}")
        passed.update(here)
    return files


def _is_outside(path: pathlib.Path, root: pathlib.Path, passed: Counter[str]) -> bool:
    """Whether a path is hidden, or leads out of the folder; both are counted."""
    hidden = path.name.startswith(".")
    if not hidden and pathlib.Path(os.path.realpath(path)).is_relative_to(root):
        return False
    passed["hidden" if hidden else "links that lead out of the folder"] += 1
    return True


def _is_image(path: pathlib.Path, root: pathlib.Path, passed: Counter[str]) -> bool:
    """Whether a path is a file with a name of an image's; others are counted."""
    if _is_outside(path, root, passed):
        return False
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        passed["folders within a class" if path.is_dir() else "no images by their name, or no files"] += 1
        return False
    return True


def _but(passed: Counter[str]) -> str:
    return "".join(f"; passed over, {what}: {number}" for what, number in passed.items())


def _held_out(paths, share):
    """(path, whether it is tested), the tested ones evenly over the class."""
    num = min(max(1, round(share * len(paths))), len(paths) - 1)
    tested = {(2 * i + 1) * len(paths) // (2 * num) for i in range(num)}
    return [(path, i in tested) for i, path in enumerate(paths)]


def _read(path, size, grey, background, seen):
    """An image [size, size] or [size, size, 3], and of which of KINDS its numbers are."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":  # whose further pictures are of the same photograph
                raise ValueError(f"it holds {frames} frames or pages; save the one that counts as a file of its own")
            if frames > 1:
                seen["photographs with further pictures in their file, of which the first was taken"] += 1
            if image.getexif().get(0x0112, 1) != 1:
                seen["images turned as their orientation tag says"] += 1
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
                return _numbers(upright, size, grey)
            plain = _opaque(upright, background, seen).convert("L" if grey else "RGB")
            return np.asarray(ImageOps.fit(plain, (size, size))), "byte"
    except Exception as error:  # every format has a decoder with errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        reason = reason if reason.isprintable() else repr(reason)[1:-1]
        raise ValueError(f"{path}: not a readable image ({reason})") from None


def _numbers(image, size, grey):
    """The numbers of an image that has more than 256 of them, none cut off."""
    numbers = np.asarray(image)
    kind = "float" if image.mode == "F" else "whole"
    if not np.isfinite(numbers).all() or (kind == "whole" and np.abs(numbers.astype(np.int64)).max() > EXACT):
        raise ValueError(f"mode {image.mode} with a NaN, an infinity, or a whole number beyond {EXACT:,}")
    fitted = np.asarray(ImageOps.fit(Image.fromarray(numbers.astype(np.float32)), (size, size)))
    fitted = np.clip(fitted, numbers.min(), numbers.max())  # interpolation goes a little beyond
    fitted = np.round(fitted).astype(np.int32) if kind == "whole" else fitted
    return fitted if grey else np.stack([fitted] * 3, axis=-1), kind


def _opaque(image, background, seen):
    """An image without transparent places."""
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    if layered.getextrema()[3][0] == 255:
        return layered
    if background is None:
        raise ValueError(
            f"mode {image.mode} has transparent places; say what is behind them, --background white or black"
        )
    seen[f"images with transparent places, laid on {background}"] += 1
    behind = Image.new("RGBA", layered.size, (*[BACKGROUNDS[background]] * 3, 255))
    return Image.alpha_composite(behind, layered)


def _narrow(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whole numbers that 16 bits have room for, in 16 bits."""
    if any(x.dtype != np.int32 or x.min() < 0 or x.max() >= 1 << 16 for x in arrays.values()):
        return arrays
    return {name: x.astype(np.uint16) for name, x in arrays.items()}


def _write(target: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """A file that is there whole or not at all; its temporary name is new, so that no planted link is followed."""
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    with temporary.open("xb") as file:
        try:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink()
            raise


if __name__ == "__main__":
    sys.exit(main())
