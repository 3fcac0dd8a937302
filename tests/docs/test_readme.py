"""The examples of README and pages run, block after block of a page, as a reader would run them."""

import csv
import pathlib

import numpy as np
import pytest
from documents import DOCS, README, SIGNS, blocks, name_of
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from alfamous_jax import __main__ as alfamous_select
from alfamous_jax import last_layer
from tools import extract_features

pytestmark = pytest.mark.slow
EXECUTED = [README, *(DOCS / page for page in ("own-data.md", "own-strategy.md", "label.md", "embeddings.md"))]
EXECUTED += [DOCS / "guide" / f"{name}.md" for name in ("cycle", "batches", "devices", "vabal", "export")]


class Reader:
    """Goes through the blocks of a page; what they define is there as attributes."""

    def __init__(self, path):
        self.left, self.names = blocks(path), {}

    def run(self, num=1):
        """Runs the next blocks."""
        for _ in range(num):
            exec(self.left.pop(0), self.names)
        return self

    def __getattr__(self, name):
        return self.names[name]


def different(batch, num=20):
    """A batch of that many different rows."""
    return batch.num_selected == num and len(set(np.asarray(batch.indices).tolist())) == num


def test_every_page_with_blocks_is_executed():
    assert [name_of(path) for path in SIGNS if blocks(path) and path not in EXECUTED] == []


@pytest.mark.parametrize("path", [README, DOCS / "guide" / "cycle.md"], ids=name_of)
def test_ask_label_update(path):
    reader = Reader(path).run()
    assert int(reader.state.counts.sum()) == 30 and int(reader.state.available.sum()) == 470
    if path == README:
        assert not reader.left
        return
    reader.run()
    assert len(set(np.asarray(reader.info.indices).tolist())) == 32
    reader.run()
    assert reader.scores.shape == (500,) and np.all(np.asarray(reader.scores) > 0)
    reader.run()
    assert reader.ridge in reader.losses and reader.info.converged and np.isfinite(reader.mean).all()
    right = [np.mean(np.argmax(reader.pool @ head.T, axis=1) == reader.labels) for head in (reader.plain, reader.mean)]
    assert right[1] > right[0]
    assert not reader.left


def test_label_by_hand(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    reader = Reader(DOCS / "label.md").run()
    session, truth = reader.session, reader.truth
    assert len(session.labels) == 40 and min(session.counts.values()) > 3  # of which 2 would be fraud by chance
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) > 40
    assert np.mean(session.predict() == np.array(session.classes)[truth]) > 0.9
    reader.run()
    assert set(reader.progress.agreement) == set(session.classes) and not reader.left
    held = reader.session._record.setup.held
    accuracy = np.mean((session.predict() == np.array(session.classes)[truth])[held])
    assert reader.found.accuracy.low - 0.05 < accuracy < reader.found.accuracy.high + 0.05


def test_embeddings_of_texts_and_images(monkeypatch, tmp_path):
    """The encoder itself would be downloaded: the block is compiled and not run."""
    monkeypatch.chdir(tmp_path)
    reader = Reader(DOCS / "embeddings.md")
    assert "SentenceTransformer" in compile(reader.left.pop(0), "texts", "exec").co_names
    (tmp_path / "photos").mkdir()
    for name, size in (("b.png", (30, 20)), ("a, 1.jpg", (240, 300)), ("notes.txt", (1, 1))):
        Image.new("L", size, 200).save(tmp_path / "photos" / name, format="png")
    reader.run()
    images = extract_features.read("photos.npz")["x"]
    assert images.shape == (2, 224, 224, 3) and np.all(images == 200)
    with open("files.csv", newline="") as file:
        assert [line["file"] for line in csv.DictReader(file)] == ["a, 1.jpg", "b.png"]


def test_embeddings_of_series_until_the_rows_to_label(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    reader = Reader(DOCS / "embeddings.md")
    reader.left = reader.left[2:]
    reader.run()
    rows, whole = np.load("features.npy"), np.arange(0, 999, 2)  # windows that hold a single event
    truth = reader.kinds[60 * whole]
    known, rest = whole < 600, whole >= 600
    scores = [
        LogisticRegression(max_iter=2000).fit(x[known], truth[known]).score(x[rest], truth[rest])
        for x in (StandardScaler().fit_transform(rows)[whole], reader.windows[whole])
    ]
    assert scores[0] > 0.95 and scores[0] > scores[1] + 0.1
    monkeypatch.setattr(last_layer, "NUM_FEATURES", 16)
    labels = alfamous_select.read_labels(pathlib.Path("labels.csv"))
    assert labels == {row: ("none", "bump", "square")[reader.kinds[60 * row + 60]] for row in range(40)}
    command = "features.npy --classes none,bump,square --budget 100 --out next.csv"  # no labels, so no fit to compile
    assert alfamous_select.main(command.split()) == 0
    with open("next.csv", newline="") as file:
        chosen = [int(line["row"]) for line in csv.DictReader(file)]
    assert len(set(chosen)) == 100 and set(chosen) <= set(range(999)) and not reader.left


def test_a_random_convolution_is_that_of_a_loop():
    reader = Reader(DOCS / "embeddings.md")
    reader.left = [reader.left[2].partition("np.save")[0]]
    reader.run()
    series, rng, wanted = reader.windows[:3], np.random.default_rng(0), []
    scaled = [(one - np.mean(one)) / np.std(one) for one in series]
    for _ in range(4):
        weights = rng.normal(size=9)
        step = 2 ** rng.integers(4)  # 8 taps of 8 steps are the most that 120 hold
        bias = rng.uniform(-1, 1)
        for one in scaled:
            sums = [
                sum((weights[k] - weights.mean()) * one[t + k * step] for k in range(9)) + bias
                for t in range(120 - 8 * step)
            ]
            wanted.append((max(sums), np.mean(np.array(sums) > 0)))
    found = reader.features(series, num_kernels=4)
    np.testing.assert_allclose(found.reshape(3, 4, 2), np.reshape(wanted, (4, 3, 2)).transpose(1, 0, 2), rtol=1e-5)


def test_batches():
    reader = Reader(DOCS / "guide" / "batches.md").run(2)
    assert reader.batch.num_selected == 20 and 0 <= reader.batch.objective - reader.batch.bound < 0.1 * 0.5 * 5
    assert float(reader.lam) in np.float32([0.05, 0.1, 0.5])
    assert different(reader.run().batch)
    reader.run()
    assert all(different(batch) for batch in (reader.batch, reader.near, reader.turns, reader.first))
    assert reader.first.num_invalid == 0
    assert np.mean(np.asarray(reader.predicted == reader.labels)[:20]) > 0.9
    reader.run(2)
    assert all(different(batch) for batch in (reader.ends, reader.cuts, reader.near, reader.alike))
    reader.run()
    assert different(reader.herd)
    assert all(batch.bound < batch.objective for batch in (reader.herd, reader.alike))
    reader.run()
    assert all(different(batch) for batch in (reader.balls, reader.typical, reader.unlike, reader.shaky))
    assert set(np.asarray(reader.groups.labels).tolist()) == set(range(12))
    reader.run()
    inside = np.asarray(reader.near)
    assert different(reader.few) and set(np.asarray(reader.picks).tolist()) <= set(inside[inside >= 0].tolist())
    assert np.asarray(reader.state.available)[inside[inside >= 0]].all() and len(reader.also) == 64
    reader.run()
    sieved = np.asarray(reader.names["left"])
    assert len(sieved) == 200 and np.asarray(reader.state.available)[sieved[sieved >= 0]].all()
    assert not reader.left


def test_many_devices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader = Reader(DOCS / "guide" / "devices.md").run(2)
    np.testing.assert_array_equal(reader.batch.indices, reader.alone.indices)
    reader.run()
    np.testing.assert_array_equal(reader.split_info.indices, reader.info.indices)
    reader.run()
    assert set(reader.picks) <= set(reader.kept.rows) and len(reader.kept.rows) == 200
    assert 0 <= reader.found.num_picks < 32
    assert not reader.left


def test_mistakes_by_bayes_rule():
    reader = Reader(DOCS / "guide" / "vabal.md").run(2)
    utilities = np.asarray(reader.utilities)
    best = np.sort(utilities[np.asarray(reader.state.available)])[-20:]
    np.testing.assert_allclose(np.sort(utilities[reader.batch.indices]), best, rtol=1e-5)
    assert not reader.left


def test_served_without_tracing():
    reader = Reader(DOCS / "guide" / "export.md").run(2)
    arrays = reader.phi, reader.labels, reader.jnp.arange(500) >= 20, reader.jnp.bincount(reader.labels[:20], length=5)
    _, info = reader.cycle.run(reader.jax.random.key(1), reader.posterior, *arrays, lam=0.1, budget=32)
    assert reader.first_index.tolist() == [info.indices[0]] and not reader.served[4][info.indices[0]]
    assert not reader.left


def test_own_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    reader = Reader(DOCS / "own-data.md").run(4)
    assert reader.labelled.sum() == 20
    with monkeypatch.context() as patch:
        patch.setattr(last_layer, "RIDGES", (0.1,))
        phi, posterior = reader.fit_head(reader.truth, np.arange(1000) < 200)
    last_layer._fit.clear_cache()
    other = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-8).fit(np.asarray(phi)[:200], reader.truth[:200])
    assert np.mean(np.argmax(phi @ posterior.mean.T, axis=1) == other.predict(phi)) > 0.99
    reader.run()
    assert reader.labelled.sum() == 80 and np.all(reader.answers[reader.labelled] == reader.truth[reader.labelled])
    predicted = np.argmax(np.asarray(reader.phi @ reader.posterior.mean.T), axis=1)
    assert np.mean(predicted == reader.truth) > 0.8
    capsys.readouterr()
    reader.run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(sum(map(int, line.partition("[")[2][:-1].split())) == 80 for line in lines)
    assert not reader.left


def test_own_strategy():
    import jax
    import jax.numpy as jnp

    from alfamous_jax import cycle, laplace

    reader = Reader(DOCS / "own-strategy.md").run(2)
    phi = jax.random.normal(jax.random.key(0), (50, 8))
    posterior = laplace.fit(jnp.zeros((3, 8)), phi[:5], jnp.ones(5, bool))
    state = cycle.init(posterior, phi, jnp.arange(50) >= 5, jnp.ones(3, int))
    indices, _ = cycle.query(state, jax.random.key(0), utility=reader.doubt, lam=0.1)
    assert 5 <= indices[0] < 50

    class View:
        counts, available = state.counts, state.available

    View.posterior, View.phi = posterior, phi
    assert different(reader.select(None, View, 0.1, 4), 4)
    assert not reader.left
