"""The README's examples run, in order, as a reader would run them."""

import pathlib
import re

import numpy as np

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


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
    assert names["batch"].num_selected == 20 and len(set(np.asarray(names["indices"]).tolist())) == 20
    assert len(set(np.asarray(names["first"]).tolist())) == 20 and names["num_invalid"] == 0
    assert np.mean(np.asarray(names["predicted"] == names["labels"])[:20]) > 0.9
    exec(blocks[7], names)
    best = np.sort(np.asarray(names["utilities"])[np.asarray(names["state"].available)])[-20:]
    np.testing.assert_allclose(np.sort(np.asarray(names["utilities"])[names["batch"].indices]), best, rtol=1e-5)
    exec(blocks[8], names)
    assert names["scores"].shape == (500,) and np.all(np.asarray(names["scores"]) > 0)
    exec(blocks[9], names)
    assert names["first_index"].tolist() == [cycle_indices[0]] and not names["served"][4][cycle_indices[0]]


def test_map_names_every_module():
    root = pathlib.Path(__file__).parents[2] / "alfamous_jax"
    modules = {path.name for path in root.iterdir() if path.suffix == ".py" or path.is_dir()} - {
        "__init__.py",
        "__pycache__",
    }
    mapped = {name.strip("/") for name in re.findall(r"`alfamous_jax/(\w+(?:\.py|/))`", README)}
    assert mapped == {name.strip("/") for name in modules}


def test_links_exist():
    root = pathlib.Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (root / target).exists(), target
