"""tensorflow-datasets as it is: a small builder prepared and read, where it is installed; what it lacks is one line."""

import importlib.machinery
import importlib.util
import io
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from alfamous_jax import datasets
from alfamous_jax.datasets import from_tfds, places
from alfamous_jax.datasets.registry import SOURCES

SHAPE = (4, 4, 3)
SOURCE = SOURCES["cifar10"]._replace(num_classes=3, shape=SHAPE, num_rows=18)


def pixels(number, size=SHAPE):
    return np.random.default_rng(number).integers(0, 255, size).astype(np.uint8)


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Builders of 12 and 6 images; given as PNG, they are prepared without TensorFlow."""
    tfds = pytest.importorskip("tensorflow_datasets")
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))

    def build(builder, size=SHAPE, named=True, test="test"):
        names = {"id": tfds.features.Text()} if named else {}

        def info(self):
            shape = tfds.features.Image(shape=(None, None, 3))
            features = {"image": shape, "label": tfds.features.ClassLabel(num_classes=3)} | names
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def examples(self, first, num):
            for i in range(first, first + num):
                png = io.BytesIO()
                image.fromarray(pixels(i, size)).save(png, "png")
                png.seek(0)
                row = {"image": png, "label": i % 3}
                yield i, row | ({"id": f"row_{i:05d}"} if named else {})

        def splits(self, manager):
            return {"train": examples(self, 0, 12), test: examples(self, 12, 6)}

        content = {"VERSION": tfds.core.Version("1.0.0"), "_info": info, "_split_generators": splits}
        content |= {"_generate_examples": examples, "__module__": __name__}
        type(builder, (tfds.core.GeneratorBasedBuilder,), content)
        return SOURCE._replace(tfds=tfds.core.naming.camelcase_to_snakecase(builder))

    return build


def test_rows_with_names_come_in_the_order_of_their_names(prepared):
    arrays, notes = from_tfds.read(prepared("NamedTiny"))
    np.testing.assert_array_equal(arrays["x_train"], [pixels(i) for i in range(12)])
    np.testing.assert_array_equal(arrays["x_test"], [pixels(i) for i in range(12, 18)])
    assert arrays["y_train"].tolist() == [0, 1, 2] * 4 and arrays["y_test"].tolist() == [0, 1, 2] * 2
    assert notes == (from_tfds.ORDER.format("their names"),)


def test_rows_without_come_by_label_and_pixels(prepared):
    arrays, notes = from_tfds.read(prepared("PlainTiny", named=False))
    wanted = sorted((i % 3, pixels(i).tobytes()) for i in range(12))
    assert [(int(y), x.tobytes()) for x, y in zip(arrays["x_train"], arrays["y_train"], strict=True)] == wanted
    assert "labels and pixels" in notes[0]


def test_larger_images_are_cut_and_scaled_and_a_validation_set_is_the_test(prepared):
    arrays, _ = from_tfds.read(prepared("LargeTiny", size=(8, 12, 3), test="validation"))
    assert arrays["x_train"].shape == (12, *SHAPE) and len(arrays["y_test"]) == 6
    middle = pixels(0, (8, 12, 3))[:, 2:10].astype(float)
    assert abs(arrays["x_train"][0].mean() - middle.mean()) < 3


@pytest.fixture
def tfds(monkeypatch):
    """The library, or where it is not installed an empty module of its name; its builder is replaced."""
    name = "tensorflow_datasets"
    if importlib.util.find_spec(name) is None:
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    return importlib.import_module(name)


def replace_builder(monkeypatch, tfds, builder):
    monkeypatch.setattr(tfds, "builder", lambda name, file_format: builder, raising=False)


def test_a_library_that_lacks_is_one_line(tmp_path, monkeypatch, tfds):

    class Unreadable:
        info = SimpleNamespace(splits=("train", "test"))

        def download_and_prepare(self):
            pass

        def as_data_source(self, split):
            raise ImportError("No module named 'PIL'")

    replace_builder(monkeypatch, tfds, Unreadable())
    with pytest.raises(ValueError, match="^dataset: .* 'mnist' without a library .*'PIL'.; pip install 'alf") as caught:
        datasets.load("mnist", 10, data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_tensorflow_that_is_not_there_is_one_line(tmp_path, monkeypatch, tfds):
    """MNIST is prepared by TensorFlow alone; nothing is downloaded here."""

    class Unprepared:
        def download_and_prepare(self):
            raise ModuleNotFoundError("In <Image> with name:\nNo module named 'tensorflow'")

    replace_builder(monkeypatch, tfds, Unprepared())
    with pytest.raises(FileNotFoundError, match="has not prepared 'mnist' and cannot without TensorFlow") as caught:
        datasets.load("mnist", 10, data_dir=tmp_path)
    assert "\n" not in str(caught.value) and "pip install tensorflow" in str(caught.value)


def test_rows_of_prepared_data_come_by_label_and_pixels(tmp_path, monkeypatch, tfds):
    """Whatever order they were prepared in, a seed draws the same rows."""

    class Prepared:
        info = SimpleNamespace(splits=("train", "test"))

        def download_and_prepare(self):
            pass

        def as_data_source(self, split):
            order = np.random.default_rng(int(draws.pop())).permutation(8)
            return [{"image": pixels(i), "label": i % 3} for i in order]

    replace_builder(monkeypatch, tfds, Prepared())
    draws = [0, 1, 2, 3]
    first, second = from_tfds.read(SOURCE)[0], from_tfds.read(SOURCE)[0]
    assert all((first[name] == second[name]).all() for name in first) and not draws
    assert first["y_train"].tolist() == sorted(i % 3 for i in range(8))


def test_food_101_is_known():
    source = SOURCES["food101"]
    assert (source.num_classes, source.num_rows, source.tfds) == (101, 101 * 1000, "food101")


def test_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(from_tfds, "read", lambda source: pytest.fail("an .npz file comes first"))
    np.savez(tmp_path / "mnist.npz", x=np.zeros((3, 28, 28)), y=np.arange(3))
    assert places.registered("mnist", SOURCES["mnist"], tmp_path).where.endswith("mnist.npz")
