"""Data files of every kind, damaged and hostile: each is read, or refused in one line that names it."""

import functools
import importlib.util
import io
import pathlib
import zipfile
import zlib

import numpy as np

from alfamous_jax import datasets
from alfamous_jax.datasets import finite
from tests.fuzz import damage, pictures, texts, watch

HAS_ARROW = importlib.util.find_spec("pyarrow") is not None
KINDS = ("npz", "folder", "csv", "ucr", "images", "source", *(["parquet"] if HAS_ARROW else []))
TYPES = ("f4", "f8", "f2", "i1", "u1", "i2", "i4", "i8", "u8", "?", ">f4", ">i2", "c8", "U3", "S3", "M8[s]", "O", "V4")
PARTS = ("x_train", "y_train", "x_test", "y_test")


def trial(kind: str, rng: np.random.Generator, folder: pathlib.Path) -> str:
    """Writes a file, damages it, and has it read; `watch.judged` says what came of it."""
    return {
        "npz": _npz,
        "folder": _folder,
        "csv": _csv,
        "ucr": _ucr,
        "images": _images,
        "source": _source,
        "parquet": _parquet,
    }[kind](rng, folder)


def _damaged(path: pathlib.Path, rng: np.random.Generator) -> None:
    """Most of the time the bytes are broken, seldom the file is none, and sometimes it stays as it is."""
    how = rng.random()
    if how < 0.04:
        damage.replaced(path, rng)
    elif how < 0.5:
        path.write_bytes(damage.broken(path.read_bytes(), rng))


def _npz(rng, folder):
    path = folder / "mine.npz"
    path.write_bytes(_archive(_arrays(rng), rng))
    if rng.random() < 0.6:
        _damaged(path, rng)
    return watch.judged(lambda: _load(str(path), rng), path)


def _folder(rng, folder):
    place = folder / "pool"
    place.mkdir()
    for name, array in _arrays(rng, parts=True).items():
        (place / f"{name}.npy").write_bytes(_npy(array, rng))
    found = sorted(place.iterdir())
    if rng.random() < 0.6 and found:
        _damaged(found[rng.integers(len(found))], rng)
    return watch.judged(lambda: _load(str(place) + "/" * int(rng.integers(2)), rng), place)


def _csv(rng, folder):
    suffix, separator = [(".csv", ","), (".tsv", "\t"), (".csv", ";")][rng.choice(3, p=[0.6, 0.2, 0.2])]
    path = folder / f"mine{suffix}"
    path.write_bytes(texts.table(rng, separator))
    _damaged(path, rng)
    return watch.judged(lambda: _load(str(path), rng), path)


def _parquet(rng, folder):
    import pyarrow
    import pyarrow.parquet

    path, rows = folder / "mine.parquet", int(rng.integers(1, 40))
    columns = {f"a{i}": texts.column(rng, rows) for i in range(rng.integers(1, 4))}
    columns |= {"label": rng.integers(0, 3, rows)} if rng.random() < 0.9 else {}
    pyarrow.parquet.write_table(pyarrow.table({name: pyarrow.array(cells) for name, cells in columns.items()}), path)
    _damaged(path, rng)
    return watch.judged(lambda: _load(str(path), rng), path)


def _ucr(rng, folder):
    place = folder / "ECG5000"
    place.mkdir()
    for kind in ("TRAIN", "TEST"):
        path = place / f"ECG5000_{kind}{['.tsv', '.txt'][rng.integers(2)]}"
        path.write_bytes(texts.series(rng, 140))
        if rng.random() < 0.4:
            _damaged(path, rng)
    return watch.judged(lambda: _checked(datasets.load("ecg5000", 5, data_dir=str(folder))), place)


def _images(rng, folder):
    from tools import image_folder

    photos, target = folder / "photos", folder / "x.npz"
    pictures.fill(photos, rng, folder.parent / "outside")
    how = {"grey": bool(rng.integers(2)), "background": [None, "black", "white"][rng.integers(3)]}

    def convert():
        image_folder.convert(photos, target, int(rng.integers(1, 9)), **how)
        data = _checked(datasets.load(str(target), 0))
        assert len(data.y_test) and data.class_names

    return watch.judged(convert, target, writes=True)


def _source(rng, folder):
    import jax.numpy as jnp

    from experiments.learning import sources

    backbone, content = _network()
    path = folder / "source.npz"
    path.write_bytes(content)
    if rng.random() < 0.3:
        arrays = dict(np.load(io.BytesIO(content)))
        name = list(arrays)[rng.integers(len(arrays))]
        arrays[name] = _array(rng, int(rng.integers(0, 4))) if rng.random() < 0.8 else arrays[name][..., :1]
        path.write_bytes(_archive(arrays, rng))
    _damaged(path, rng)
    return watch.judged(lambda: sources.load(path, backbone, jnp.zeros((1, 3)), int(rng.integers(1, 4))), path)


@functools.cache
def _network():
    """A small network, and the file of a source that is one."""
    import jax
    import jax.numpy as jnp
    from flax import traverse_util

    from alfamous_jax.networks.linear import Linear
    from alfamous_jax.networks.mlp import ResidualMLP

    backbone = ResidualMLP(4, 1, None, 0.0)
    variables = jax.eval_shape(Linear(backbone, 5).init, jax.random.key(0), jnp.zeros((1, 3)))
    flat = traverse_util.flatten_dict(variables, sep="/")
    file = io.BytesIO()
    np.savez_compressed(file, **{name: np.ones((2, *leaf.shape), leaf.dtype) for name, leaf in flat.items()})
    return backbone, file.getvalue()


def _load(name, rng):
    classes = ("a", "b", "c")[: rng.integers(1, 4)] if rng.random() < 0.1 else ()
    return _checked(
        datasets.load(name, int(rng.choice([0, 2, 3], p=[0.8, 0.1, 0.1])), int(rng.integers(0, 3)), classes=classes)
    )


def _checked(data):
    """What is promised of every data set that is read."""
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert len(x) == len(y) > 0 and y.dtype == np.int32 and y.min() >= 0 and y.max() < data.num_classes
    assert data.num_classes >= 2 and len(data.class_names) in (0, data.num_classes)
    try:
        finite.check("rows", data.x_train)
    except ValueError:
        assert isinstance(data.x_train, np.memmap), "rows of a folder alone are not looked at"
        return data
    try:
        scaled = datasets.standardize(data)
    except ValueError as error:  # of a data set in memory, which has no file to name
        assert "deviations from the mean of the training rows" in str(error)
        return data
    assert all(np.isfinite(x).all() for x in scaled), "scaled rows are finite"
    return data


def _arrays(rng, parts=False):
    rows, shape = int(rng.integers(1, 30)), tuple(rng.integers(1, 5, rng.integers(0, 4)))
    if rng.random() < 0.6:
        rows, shape = rows + 8, (4,)
    how = int(rng.integers(0, 10))
    names = PARTS if parts or rng.random() < 0.5 else ("x", "y")
    found = {}
    for name in names:
        rows += int(rng.random() < 0.03)
        found[name] = _labels(rng, rows, how) if name.startswith("y") else _array(rng, 0, (rows, *shape))
    if rng.random() < 0.2:
        found["classes"] = np.array(["a", "b", "c"]) if rng.random() < 0.6 else _array(rng, int(rng.integers(0, 3)))
    if rng.random() < 0.1:
        found["source_probs"] = _array(rng, int(rng.integers(0, 3)))
    if rng.random() < 0.1:
        found.pop(list(found)[rng.integers(len(found))])
    return found


def _array(rng, axes, shape=None):
    shape = tuple(rng.integers(0, 4, axes)) if shape is None else shape
    if rng.random() < 0.9:
        x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4)
        if x.size and rng.random() < 0.1:
            x.flat[rng.integers(x.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e39, -1e300, 1e-320])
        return (
            x.astype(["f4", "f8", "i4"][rng.integers(3)])
            if np.isfinite(x).all() and np.abs(x).max(initial=0) < 1e9
            else x
        )
    kind = np.dtype(TYPES[rng.integers(len(TYPES))])
    if kind.kind == "O":
        return np.array([{} for _ in range(int(np.prod(shape)))], object).reshape(shape)
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def _labels(rng, rows, how):
    y = np.arange(rows) % 3
    if how < 5:
        return y.astype(["i4", "i8", "u1"][rng.integers(3)])
    if how == 5:
        return np.array(["ant", "bee", "cat"])[y]
    if how == 6:
        return np.eye(3)[y]
    if how == 7:
        return y[:, None] + rng.choice([0.0, 0.5, 1e20])
    return _array(rng, 0, (rows,))


def _npy(array, rng):
    """An array as a file, whose header may say something else."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(int(rng.integers(1, 3)), 0) if rng.random() < 0.3 else None)
    if rng.random() > 0.04:
        return file.getvalue()
    shape = [(10 ** int(rng.integers(1, 31)), 3), (-1,), (2**63,), (0, 10**18), (10**12, 0), ()][rng.integers(6)]
    descr = ["<f8", "|S0", "|O", "<U1000000", "|V0", "<M8[s]", [("a", "<f4")]][rng.integers(7)]
    header = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        header, {"descr": descr, "fortran_order": bool(rng.integers(2)), "shape": shape}
    )
    return header.getvalue() + rng.bytes(int(rng.integers(0, 50)))


def _archive(arrays, rng):
    """Arrays as an archive, whose members may be more than they seem."""
    file, how = io.BytesIO(), [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(file, "w", how[rng.choice(4, p=[0.4, 0.4, 0.1, 0.1])]) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", _npy(array, rng))
            if rng.random() < 0.02:
                archive.getinfo(f"{name}.npy").file_size = int(rng.choice([0, 2**31, 2**40, 2**62]))
        if rng.random() < 0.05:
            archive.writestr(
                ["../../kept", "/etc/x.npy", "a/../x.npy", "x.npy", "x", "é.npy"][rng.integers(6)], b"more"
            )
        if rng.random() < 0.02:  # twenty million zeros in twenty thousand bytes, of which the header owns none
            archive.writestr("bomb.npy", bytes(20_000_000), zipfile.ZIP_DEFLATED, zlib.Z_BEST_COMPRESSION)
    return file.getvalue()
