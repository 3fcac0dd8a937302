"""The README's examples run, in order, as a reader would run them."""

import pathlib
import re

import numpy as np
import pytest

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 10
    names = {}
    for block in blocks[:1]:
        exec(block, names)
    assert int(names["state"].counts.sum()) == 30 and int(names["state"].available.sum()) == 470
    exec(blocks[1], names)
    cycle_indices = np.asarray(names["info"].indices)
    assert len(set(cycle_indices.tolist())) == 32
    exec(blocks[2], names)
    alone = names["batch"]
    assert alone.num_selected == 20 and 0 <= alone.objective - alone.bound < 0.1 * 0.5 * 5
    assert float(names["lam"]) in np.float32([0.05, 0.1, 0.5])
    exec(blocks[3], names)
    np.testing.assert_array_equal(names["batch"].indices, alone.indices)
    exec(blocks[4], names)
    np.testing.assert_array_equal(names["split_info"].indices, cycle_indices)
    exec(blocks[5], names)
    assert names["batch"].num_selected == 20 and len(set(np.asarray(names["batch"].indices).tolist())) == 20
    exec(blocks[6], names)
    for batch in ("batch", "near", "turns", "first"):
        assert names[batch].num_selected == 20 and len(set(np.asarray(names[batch].indices).tolist())) == 20
    assert names["first"].num_invalid == 0
    assert np.mean(np.asarray(names["predicted"] == names["labels"])[:20]) > 0.9
    exec(blocks[7], names)
    best = np.sort(np.asarray(names["utilities"])[np.asarray(names["state"].available)])[-20:]
    np.testing.assert_allclose(np.sort(np.asarray(names["utilities"])[names["batch"].indices]), best, rtol=1e-5)
    exec(blocks[8], names)
    assert names["scores"].shape == (500,) and np.all(np.asarray(names["scores"]) > 0)
    exec(blocks[9], names)
    assert names["first_index"].tolist() == [cycle_indices[0]] and not names["served"][4][cycle_indices[0]]


def test_map_names_every_room():
    root = pathlib.Path(__file__).parents[2]
    places = [root / "configs", root / "tools"]
    for package in (root / "alfamous_jax", root / "experiments"):
        places += [package, *(path for path in package.iterdir() if path.is_dir())]
    rooms = {f"{path.relative_to(root)}/" for path in places if any(path.glob("*.py"))}
    chapter = README.split("\n## Map\n")[1]
    assert set(re.findall(r"^\| `([\w/]+/)` \|", chapter, flags=re.MULTILINE)) == rooms


def test_links_exist():
    root = pathlib.Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (root / target).exists(), target


def test_the_table_of_strategies_is_that_of_the_code():
    """After a change `python -c "from experiments.learning.methods import table; print(table())"` writes it."""
    from experiments.learning import methods

    assert methods.table() in README
