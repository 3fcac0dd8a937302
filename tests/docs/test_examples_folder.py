"""Every file of `examples/` runs and shows what it says; what a notebook has stored came from a clean run."""

import base64
import io
import json
import os
import pathlib
import re
import runpy
import sys
from contextlib import redirect_stdout

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from documents import ROOT, anchor, headings, read

from alfamous_jax import cycle, datasets, laplace

EXAMPLES = ROOT / "examples"
STRATEGIES = ("mine.py", "peers.py", "peers_by_class.py", "upper.py")
SCRIPTS = ("fixed_batch.py", "importance.py", "label_loop.py", "picks.py", "top_images.py", "toy.py", *STRATEGIES)
NOTEBOOKS = {"embeddings.ipynb": 2, "letter.ipynb": 1}  # seeds that are enough here
FEWER_SEEDS = re.compile(r"(NUM_SEEDS, INITIAL, BUDGET, CYCLES, RIDGE = |for seed in range\()\d+")
BYTES = 200_000  # of all notebooks, with what they show


def test_every_file_is_run_here_and_named_in_the_readme():
    files = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md")
    assert files == sorted([*SCRIPTS, *NOTEBOOKS])
    assert [name for name in files if f"`{name}`" not in read(EXAMPLES / "README.md")] == []


# Scripts


def run(name, monkeypatch, *arguments):
    """The script as from the command line, in this process."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    return runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in STRATEGIES])
def test_a_script_is_short_and_says_how_it_is_started(name):
    text = read(EXAMPLES / name)
    assert len(text.splitlines()) <= 70 and f"\n    python examples/{name}" in text


@pytest.mark.slow
def test_a_loop_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch, capsys):
    for path, labels in (("parts", 80), ("parts", 120), ("whole", 200)):
        run("label_loop.py", monkeypatch, tmp_path / path, "--labels", labels)
    said = capsys.readouterr().out
    assert "80 labels were there" in said and said.count("\n200 labels, ") == 2
    scores = [float(number) for number in re.findall(r"without a label: ([\d.]+)", said)]
    assert scores[1] == scores[2] > 0.3 and scores[1] > scores[0]
    answers = (tmp_path / "whole").read_text()
    assert (tmp_path / "parts").read_text() == answers
    rows, labels = np.loadtxt(io.StringIO(answers), int, delimiter=",").T
    assert len(set(rows)) == 200 and set(labels) <= set(range(26))


@pytest.mark.slow
def test_a_row_that_was_skipped_is_not_asked_for_again(tmp_path, monkeypatch, capsys):
    run("label_loop.py", monkeypatch, tmp_path / "first", "--labels", 5)
    asked = [line.split(",")[0] for line in (tmp_path / "first").read_text().splitlines()]
    (tmp_path / "second").write_text(f"{asked[0]},-1\n")
    run("label_loop.py", monkeypatch, tmp_path / "second", "--labels", 5)
    lines = [line.split(",")[0] for line in (tmp_path / "second").read_text().splitlines()]
    assert "0 labels were there\n5 labels, " in capsys.readouterr().out
    assert lines[0] == asked[0] and asked[0] not in lines[1:]


@pytest.mark.slow
def test_a_fixed_batch_is_near_its_bound_and_finds_rare_classes(monkeypatch, capsys):
    run("fixed_batch.py", monkeypatch)
    said = capsys.readouterr().out
    assert said.startswith("13 of 26 classes are rare: 9% of the rows\n")
    table = re.findall(r"^ +([\d.]+) +([\d.-]+) +([\d.-]+) +([\d.-]+)  (\d+) of 100$", said, flags=re.MULTILINE)
    lam, objective, bound, gap, rare = np.array(table, float).T
    np.testing.assert_array_equal(lam, [0, 0.1, 0.5])
    np.testing.assert_allclose(objective - bound, gap, atol=2e-4)
    assert np.all(gap > -1e-3) and np.all(gap < 1e-3 * objective)
    assert np.all(np.diff(rare) > 0) and rare[-1] > 40


@pytest.mark.slow
def test_what_mine_holds_fits_the_functions():
    """Its strategies go through all checks in tests/experiments."""
    mine = runpy.run_path(str(EXAMPLES / "mine.py"))
    data = datasets.from_arrays(mine["load"](), 3, test_rows=300)
    features, stages = mine["Net"]().init_with_output(jax.random.key(0), data.x_train, False)[0]
    assert features.shape == (600, 32) and len(stages) == 1
    posterior = laplace.fit(jnp.zeros((3, 32)), features, jnp.arange(600) < 10)
    state = cycle.init(posterior, features, jnp.arange(600) >= 10, jnp.array([8, 1, 1]))
    indices, _ = cycle.query(state, jax.random.key(0), utility=mine["doubt"], lam=0.1)
    view = type("View", (), {"phi": features, **state._asdict()})
    batch = mine["select"](None, view, 0.1, 5)
    assert indices[0] >= 10 and batch.num_selected == 5 and np.all(np.asarray(batch.indices) >= 10)


# Notebooks


def cells(name, kind=("code", "markdown")):
    return [cell for cell in json.loads(read(EXAMPLES / name))["cells"] if cell["cell_type"] in kind]


def said_and_shown(cell):
    """The lines that a cell has stored, and its number of pictures."""
    text = "".join("".join(output.get("text", [])) for output in cell["outputs"])
    return len(text.splitlines()), sum("image/png" in output.get("data", {}) for output in cell["outputs"])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_was_stored_after_a_clean_run(name):
    stored = json.loads(read(EXAMPLES / name))
    assert (stored["nbformat"], stored["nbformat_minor"]) >= (4, 5)
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in stored["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]{1,64}", cell) for cell in ids)
    code = cells(name, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"stream", "display_data"}
    assert {output["name"] for output in outputs if "name" in output} == {"stdout"}
    for output in outputs:
        if "data" in output:
            assert base64.b64decode(output["data"]["image/png"]).startswith(b"\x89PNG")


def test_notebooks_are_small_and_name_no_machine():
    assert sum((EXAMPLES / name).stat().st_size for name in NOTEBOOKS) < BYTES
    for name in NOTEBOOKS:
        shown = [output for cell in cells(name, "code") for output in cell["outputs"] if "text" in output]
        text = "".join("".join(part["source"]) for part in cells(name)) + json.dumps(shown)
        assert not re.search(r"(?<![\w.)])/[a-z]+/|[A-Z]:\\|~/", text)
        assert str(pathlib.Path.home()) not in text


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_explains_its_pictures_and_its_links_lead_somewhere(name):
    every = cells(name)
    assert any(said_and_shown(cell)[1] for cell in every if cell["cell_type"] == "code")
    for cell, after in zip(every, every[1:], strict=False):
        if cell["cell_type"] == "code" and said_and_shown(cell)[1] and "plt.bar" not in "".join(cell["source"]):
            assert "".join(after["source"]).startswith("What to see: ")
    text = "".join("".join(cell["source"]) for cell in cells(name, "markdown"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, place = target.partition("#")
        assert (EXAMPLES / file).exists(), target
        assert not place or place in map(anchor, headings(EXAMPLES / file)), target


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("embeddings.ipynb", marks=pytest.mark.exhaustive), "letter.ipynb"])
def test_a_notebook_runs(name, monkeypatch):
    if name == "embeddings.ipynb":
        folder = os.environ.get("ALFAMOUS_DATA_DIR", "")
        if not (pathlib.Path(folder) / "neu_cls_64_lite0.npz").is_file():
            pytest.skip(f"there is no neu_cls_64_lite0.npz in the folder of ALFAMOUS_DATA_DIR ({folder or 'not set'})")
    matplotlib.use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", lambda: None)
    names = {"__name__": "__main__"}
    with matplotlib.rc_context():
        for number, cell in enumerate(cells(name, "code"), start=1):
            told = io.StringIO()
            with redirect_stdout(told):
                source = FEWER_SEEDS.sub(rf"\g<1>{NOTEBOOKS[name]}", "".join(cell["source"]))
                exec(compile(source, f"{name}, cell {number}", "exec"), names)
            found = len(told.getvalue().splitlines()), len(plt.get_fignums())
            assert found == said_and_shown(cell), f"cell {number} has stored another number of lines or pictures"
            plt.close("all")
    final = final_scores(names["results"])
    assert final["random"] + 0.05 < final["us-alfamous"] and final["random"] < final["us"] < final["us-alfamous"]


def final_scores(results):
    """Mean macro F1 at the end; seeds are pairs of a curve and counts, or the second axis of one array."""
    first = {name: runs[0] for name, runs in results.items()}
    if isinstance(first["random"], np.ndarray):
        return {name: scores[0, :, -1].mean() for name, scores in first.items()}
    return {name: np.mean([scores[-1] for scores, _ in runs]) for name, runs in results.items()}


def test_without_its_file_the_comparison_says_what_to_do(tmp_path, monkeypatch):
    code = ["".join(cell["source"]) for cell in cells("embeddings.ipynb", "code")]
    (loads,) = [source for source in code if source.startswith("NAME = ")]
    monkeypatch.delenv("ALFAMOUS_DATA_DIR", raising=False)
    with pytest.raises(FileNotFoundError, match="set ALFAMOUS_DATA_DIR to .* or give the path of an .npz file"):
        exec(loads, {"datasets": datasets, "np": np})
    monkeypatch.setenv("ALFAMOUS_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"nor a file .*neu_cls_64_lite0\.npz"):
        exec(loads, {"datasets": datasets, "np": np})
