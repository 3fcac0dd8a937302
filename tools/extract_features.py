"""Images under a pretrained network of torchvision: the `.npz` file of features that every config takes.

    python tools/extract_features.py photos.npz features.npz --network resnet18
    python -m experiments.run --config=configs/features.py:linear --config.dataset=features.npz ...

Needs numpy, torch and torchvision and nothing of this project, so that it runs in an environment of its own. Weights
(downloaded once) and preprocessing are torchvision's default for the network.
"""

import argparse
import os
import pathlib
import secrets
import stat
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

SPLIT, WHOLE = ("x_train", "y_train", "x_test", "y_test"), ("x", "y")
LISTING = 'python -c "from torchvision import models; print(*models.list_models(models))"'


def convert(source, target, network: str, batch: int = 64, device: str | None = None) -> dict[str, np.ndarray]:
    """Writes the features of the images in `source` to `target`, replaced at once.

    Args:
      source: an `.npz` that `read` takes.
      target: an `.npz` in a folder that exists.
      network: its name in torchvision.
      batch: images that pass through it at a time.
      device: cpu, cuda or mps; if None, a GPU where there is one.

    Returns:
      the arrays written. ValueError or OSError, before anything is written, for what cannot be read or run.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if target.resolve() == source.resolve() or not target.parent.is_dir():
        raise ValueError(f"{target}: the target must be another file than the source, in a folder that exists")
    arrays = extract(read(source), pretrained(network, device), batch)
    _write(target, arrays)
    return arrays


def read(path) -> dict[str, np.ndarray]:
    """Images x_train, x_test or x, uint8 [rows, h, w, 1 or 3], with y_* and any `classes`; ValueError for others."""
    try:
        if not stat.S_ISREG(pathlib.Path(path).stat().st_mode):  # a pipe would be waited for
            raise ValueError("it is no file")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            names = archive.files
            wanted = [name for name in (*SPLIT, *WHOLE, "classes") if name in names]
            size = sum(archive.zip.getinfo(f"{name}.npy").file_size for name in wanted)
            if size > (memory := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
                raise ValueError(f"it says that it holds {size:,} bytes, this machine has {memory:,}")
            arrays = {name: archive[name] for name in wanted}
    except OSError:
        raise
    except Exception as error:  # zipfile, its decompressors and NumPy raise a dozen kinds between them
        reason = " ".join(str(error).split())[:200]
        reason = reason if reason.isprintable() else repr(reason)[1:-1]
        raise ValueError(f"{path}: not a readable .npz file of plain arrays ({reason})") from None
    parts = next((parts for parts in (SPLIT, WHOLE) if set(parts) <= set(names)), None)
    if not parts:
        raise ValueError(f"{path}: needs arrays {', '.join(WHOLE)} or {', '.join(SPLIT)}, has {', '.join(names)}")
    for name, label in zip(parts[::2], parts[1::2], strict=True):
        x, y = arrays[name], arrays[label]
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or x.shape[3:] not in ((), (1,), (3,)) or not x.size:
            raise ValueError(f"{path}: {name} must be uint8 [rows, h, w] or [rows, h, w, 3], got {x.dtype} {x.shape}")
        if y.shape != x.shape[:1]:
            raise ValueError(f"{path}: {label} must have {len(x)} labels, one for each image, got {y.shape}")
        arrays[name] = x if x.ndim == 4 else x[..., None]
    return {name: arrays[name] for name in (*parts, "classes") if name in arrays}


def extract(arrays: dict[str, np.ndarray], network: Callable, batch: int = 64) -> dict[str, np.ndarray]:
    """Puts features x_* [rows, D] in place of the images and adds source_probs_* [rows, K'], both float32.

    Args:
      arrays: as `read` returns them.
      network: images uint8 [b, h, w, 3] -> (features [b, D], logits [b, K']).
      batch: b, fewer for the last ones.
    """
    images = {name: x for name, x in arrays.items() if name.startswith("x")}
    results, done, total, start = dict(arrays), 0, sum(map(len, images.values())), time.monotonic()
    for name, x in images.items():
        features, probs = [], []
        for rows in np.split(x, range(batch, len(x), batch)):
            h, logits = network(np.broadcast_to(rows, (*rows.shape[:3], 3)))
            odds = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
            features.append(h.astype(np.float32))
            probs.append((odds / odds.sum(1, keepdims=True)).astype(np.float32))
            done += len(rows)
            if sys.stderr.isatty():
                minutes, seconds = divmod(round((time.monotonic() - start) * (total - done) / done), 60)
                line = f"{done} of {total} images, {minutes}:{seconds:02} left"
                print(f"\r{line:<50}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        results[name], results["source_probs" + name[1:]] = np.concatenate(features), np.concatenate(probs)
    return results


def pretrained(name: str, device: str | None = None) -> Callable:
    """A network of torchvision as the function that `extract` takes; ValueError if it cannot be had."""
    try:
        import torch
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # RuntimeError: releases that do not belong together
        raise ValueError(f"needs torch and torchvision, pip install torch torchvision ({error})") from None
    if name not in models.list_models(models):
        raise ValueError(f"torchvision has no network {name!r} that classifies images; those it has: {LISTING}")
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = device or next(kind for kind, found in usable.items() if found)
    if not usable[device]:
        raise ValueError(f"torch has no device {device} here")
    weights = models.get_model_weights(name).DEFAULT
    network, transform, inputs = models.get_model(name, weights=weights).to(device).eval(), weights.transforms(), []
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    if not layers:
        raise ValueError(f"{name} does not end in a linear layer")
    layers[-1].register_forward_pre_hook(lambda layer, args: inputs.append(args[0]))

    def apply(images):
        inputs.clear()
        with torch.inference_mode():
            logits = network(transform(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device)))
        if len(inputs) != 1 or logits.shape != (len(images), layers[-1].out_features):
            raise ValueError(f"{name} does not end in a linear layer")
        return tuple(tensor.cpu().numpy() for tensor in (*inputs, logits))

    return apply


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line on stderr for what cannot be converted."""
    parser = argparse.ArgumentParser(description="Images to features of a pretrained network.")
    parser.add_argument("source", help="the .npz file of images")
    parser.add_argument("target", help="the .npz file to write")
    parser.add_argument("--network", required=True, help=f"its name in torchvision; {LISTING} lists them")
    parser.add_argument("--batch", type=int, default=64, help="images at a time (default 64)")
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), help="default: a GPU if there is one")
    try:
        arrays = convert(**vars(parser.parse_args(args)))
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for name, array in arrays.items():
        print(f"{name}: {array.dtype} {list(array.shape)}")
    return 0


def _write(target: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """A file that is there whole or not at all; its temporary name is new, so that no planted link is followed."""
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    with temporary.open("xb") as file:
        try:
            np.savez(file, **arrays)  # compression would take long and save little on such numbers
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink()
            raise


if __name__ == "__main__":
    sys.exit(main())
