"""Images become features; a small linear network stands in for torchvision's."""

import os
import pathlib
import re
import subprocess
import sys
from types import SimpleNamespace

import fake_torchvision
import numpy as np
import pytest
from fake_torchvision import BIAS, HIDDEN, OUT

from alfamous_jax import datasets
from tools import extract_features

ROOT = pathlib.Path(__file__).parents[2]


def images(rows, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, *shape), np.uint8)


def photos(path, shape=(6, 6, 3), **changes):
    arrays = {
        "x_train": images(7, *shape),
        "y_train": np.arange(7) % 3,
        "x_test": images(4, *shape, seed=1),
        "y_test": np.arange(4) % 3,
        "classes": np.array(["rust", "scratch", "crack"]),
    }
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(path, **arrays)
    return arrays


def expected(x):
    """Features and probabilities by hand: mean colour in -1..1, two linear maps, a softmax."""
    x = np.broadcast_to(x if x.ndim == 4 else x[..., None], (*x.shape[:3], 3))
    features = (x.mean((1, 2)) / 127.5 - 1) @ HIDDEN.T
    odds = np.exp(features @ OUT.T + BIAS)
    return features, odds / odds.sum(1, keepdims=True)


@pytest.fixture
def torchvision(monkeypatch):
    return fake_torchvision.install(monkeypatch)


def run(tmp_path, *flags, network="small"):
    return extract_features.main([f"{tmp_path}/photos.npz", f"{tmp_path}/out.npz", "--network", network, *flags])


def refused(tmp_path, capsys, message, *flags, network="small"):
    """Exit code 2, one line that says why, and nothing written."""
    assert run(tmp_path, *flags, network=network) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "out.npz").exists() and not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3)], ids=["grey", "one channel", "colour"])
def test_features_and_probabilities(tmp_path, torchvision, capsys, shape):
    before = photos(tmp_path / "photos.npz", shape)
    assert run(tmp_path, "--batch", "3") == 0
    after = dict(np.load(tmp_path / "out.npz"))
    assert after.keys() == before.keys() | {"source_probs_train", "source_probs_test"}
    for part in ("train", "test"):
        features, probs = expected(before[f"x_{part}"])
        assert after[f"x_{part}"].dtype == after[f"source_probs_{part}"].dtype == np.float32
        np.testing.assert_allclose(after[f"x_{part}"], features, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(after[f"source_probs_{part}"], probs, rtol=1e-5)
        np.testing.assert_array_equal(after[f"y_{part}"], before[f"y_{part}"])
    printed = capsys.readouterr()
    assert "x_train: float32 [7, 5]\n" in printed.out and "source_probs_test: float32 [4, 4]\n" in printed.out
    assert printed.err == "" and not list(tmp_path.glob("*.tmp"))


def test_a_config_takes_the_file(tmp_path, torchvision):
    photos(tmp_path / "photos.npz")
    run(tmp_path)
    data = datasets.load(f"{tmp_path}/out.npz", num_classes=3)
    assert data.x_train.shape == (7, 5) and data.x_test.shape == (4, 5) and data.scaling == "feature"
    assert data.class_names == ("rust", "scratch", "crack")


def test_one_table_of_images(tmp_path, torchvision):
    x, y = images(5, 4, 4), np.arange(5)
    np.savez(tmp_path / "photos.npz", x=x, y=y, more=np.zeros(2))
    assert run(tmp_path) == 0
    after = dict(np.load(tmp_path / "out.npz"))
    assert after.keys() == {"x", "y", "source_probs"}
    np.testing.assert_allclose(after["source_probs"], expected(x)[1], rtol=1e-5)
    assert datasets.load(f"{tmp_path}/out.npz", num_classes=5, test_rows=2).x_train.shape == (3, 5)


def test_batches():
    """Every row once and in order, grey in three channels, and outputs too large for a plain exponential."""
    seen = []

    def network(batch):
        seen.append(batch)
        pixels = batch[:, 0, 0, :2].astype(np.float32)
        return pixels, np.float32([1000, 0]) + pixels * 0

    x = np.arange(10, dtype=np.uint8).reshape(5, 1, 2, 1)
    results = extract_features.extract({"x": x, "y": np.zeros(5, int)}, network, batch=2)
    assert [batch.shape for batch in seen] == [(2, 1, 2, 3), (2, 1, 2, 3), (1, 1, 2, 3)]
    np.testing.assert_array_equal(results["x"], np.repeat(np.arange(0, 10, 2), 2).reshape(5, 2))
    np.testing.assert_array_equal(results["source_probs"], [[1, 0]] * 5)


@pytest.mark.parametrize(
    ("devices", "flags", "chosen"),
    [
        ([], (), "cpu"),
        (["mps"], (), "mps"),
        (["cuda", "mps"], (), "cuda"),
        (["cuda"], ("--device", "cpu"), "cpu"),
    ],
    ids=["cpu alone", "mps", "cuda first", "as told"],
)
def test_device(tmp_path, torchvision, devices, flags, chosen):
    torchvision.devices = devices
    photos(tmp_path / "photos.npz")
    assert run(tmp_path, *flags) == 0 and torchvision.networks["small"].device == chosen


def test_time_left_is_shown_on_a_terminal(tmp_path, torchvision, capsys, monkeypatch):
    """Seven of eleven rows in 140 seconds leave 80."""
    clock = iter([0, 140, 220])
    monkeypatch.setattr(extract_features, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    photos(tmp_path / "photos.npz")
    assert run(tmp_path) == 0
    lines = capsys.readouterr().err.split("\r")
    assert [line.rstrip(" ") for line in lines] == ["", "7 of 11 images, 1:20 left", lines[2]]
    assert lines[2].split() == "11 of 11 images, 0:00 left".split() and lines[2].endswith("\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "needs arrays x, y or x_train, y_train, x_test, y_test, has x_train, y_train, x_test, cl"),
        ({"x_test": np.zeros((4, 6, 6, 3))}, "x_test must be uint8 [rows, h, w] or [rows, h, w, 3], got float64 (4, 6"),
        ({"x_train": images(7, 6)}, "x_train must be uint8 [rows, h, w] or [rows, h, w, 3], got uint8 (7, 6)"),
        ({"x_train": images(7, 6, 6, 4)}, "x_train must be uint8 [rows, h, w] or [rows, h, w, 3], got uint8 (7, 6, 6"),
        ({"x_train": images(0, 6, 6)}, "x_train must be uint8 [rows, h, w] or [rows, h, w, 3], got uint8 (0, 6, 6)"),
        ({"y_train": np.arange(6)}, "y_train must have 7 labels, one for each image, got (6,)"),
        ({"y_test": np.zeros((4, 1), int)}, "y_test must have 4 labels, one for each image, got (4, 1)"),
        ({"y_test": np.array([{}] * 4)}, "not a readable .npz file of plain arrays (Object arrays"),
    ],
    ids=["missing", "floats", "no images", "four channels", "no rows", "too few labels", "one-hot", "pickled"],
)
def test_images_that_cannot_be_taken(tmp_path, torchvision, capsys, changes, message):
    photos(tmp_path / "photos.npz", **changes)
    refused(tmp_path, capsys, f"photos.npz: {message}")


@pytest.mark.parametrize("content", [b"no", b"", b"PK\3\4 and then nothing"])
def test_files_that_cannot_be_read(tmp_path, torchvision, capsys, content):
    (tmp_path / "photos.npz").write_bytes(content)
    refused(tmp_path, capsys, "photos.npz: not a readable .npz file of plain arrays")


def test_damaged_and_absent_files(tmp_path, torchvision, capsys, monkeypatch):
    refused(tmp_path, capsys, "No such file")
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npy").rename(tmp_path / "photos.npz")
    refused(tmp_path, capsys, "photos.npz: not a readable .npz file of plain arrays")
    np.savez(tmp_path / "bomb.npz", x=images(5, 4, 4), y=np.arange(5))
    content = bytearray((tmp_path / "bomb.npz").read_bytes())
    for place in (found.start() for found in re.finditer(b"PK\x01\x02", bytes(content))):
        content[place + 24 : place + 28] = b"\xf0\xff\xff\xff"  # the directory claims four GB of each array
    (tmp_path / "photos.npz").write_bytes(content)
    with monkeypatch.context() as small:
        small.setattr(os, "sysconf", lambda name: 2**16)
        refused(tmp_path, capsys, "it says that it holds 8,589,934,560 bytes, this machine has 4,294,967,296")
    (tmp_path / "photos.npz").unlink()
    os.mkfifo(tmp_path / "photos.npz")
    refused(tmp_path, capsys, "photos.npz: not a readable .npz file of plain arrays (it is no file)")
    (tmp_path / "photos.npz").unlink()
    np.savez_compressed(tmp_path / "photos.npz", x=images(50, 9, 9), y=np.zeros(50))
    content = bytearray((tmp_path / "photos.npz").read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "photos.npz").write_bytes(content)
    refused(tmp_path, capsys, "photos.npz: not a readable .npz file of plain arrays")


@pytest.mark.parametrize(
    ("network", "flags", "message"),
    [
        ("detector", (), "torchvision has no network 'detector' that classifies images; those it has: python -c"),
        ("bare", (), "bare does not end in a linear layer"),
        ("odd", (), "odd does not end in a linear layer"),
        ("small", ("--device", "mps"), "torch has no device mps here"),
        ("small", ("--batch", "0"), "batch must be at least 1, got 0"),
    ],
    ids=["unknown", "no linear layer", "linear layer elsewhere", "device", "batch"],
)
def test_networks_that_cannot_be_run(tmp_path, torchvision, capsys, network, flags, message):
    photos(tmp_path / "photos.npz")
    refused(tmp_path, capsys, message, *flags, network=network)


@pytest.mark.parametrize("name", ["photos.npz", "nowhere/out.npz"])
def test_targets(tmp_path, torchvision, capsys, name):
    before = photos(tmp_path / "photos.npz")
    assert extract_features.main([f"{tmp_path}/photos.npz", f"{tmp_path}/{name}", "--network", "small"]) == 2
    assert "must be another file than the source, in a folder that exists" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "photos.npz")["x_train"], before["x_train"])


@pytest.mark.parametrize("missing", ["torch", "torchvision"])
def test_missing_packages(tmp_path, torchvision, capsys, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    photos(tmp_path / "photos.npz")
    refused(tmp_path, capsys, f"needs torch and torchvision, pip install torch torchvision (import of {missing} halted")


def test_packages_that_do_not_fit(tmp_path):
    """Run as a plain file, where the folder of the script must not come before the standard library."""
    (tmp_path / "torch.py").write_text("import selectors\nselectors.DefaultSelector\n")
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms\\ndoes not exist')\n")
    photos(tmp_path / "photos.npz")
    script = ROOT / "experiments" / "extract_features.py"
    command = [sys.executable, script, tmp_path / "photos.npz", tmp_path / "out.npz", "--network", "small"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "(operator torchvision::nms does not exist)" in done.stderr


def test_needs_numpy_alone():
    heavy = ["alfamous_jax", "jax", "rich", "ml_collections", "PIL", "torch"]
    code = f"import sys, experiments.extract_features; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
