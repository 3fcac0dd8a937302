"""What the choice of a head costs, against a look at every head by another library."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from experiments.benchmark import regret

pytestmark = pytest.mark.slow


def clouds(num, seed):
    """Three classes of 6 columns, the last of them rare."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, num, p=[0.6, 0.3, 0.1])
    centres = np.random.default_rng(9).normal(size=(3, 6))
    return (rng.normal(size=(num, 6)) + centres[labels]).astype(np.float32), labels


def test_the_grid_is_that_of_scikit_learn():
    (rows, labels), (test, truth) = clouds(80, 0), clouds(400, 1)
    ridges = (3.0, 0.3, 0.03)
    found = regret._grid(jnp.array(rows), jnp.array(test), jnp.array(labels), 3, jnp.array(ridges), jnp.array(truth))
    for score, ridge in zip(found, ridges, strict=True):
        machine = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-8, max_iter=1000).fit(rows, labels)
        wanted = f1_score(truth, machine.predict(test), average="macro")
        assert float(score) == pytest.approx(wanted, abs=0.01)


@pytest.mark.exhaustive
def test_a_page_of_two_pools(tmp_path, capsys):
    files = []
    for name, seed in (("one", 0), ("two", 5)):
        x, y = clouds(300, seed)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
        files.append(str(tmp_path / f"{name}.npz"))
    assert regret.main([*files, "--labels=60", "--seeds=2", f"--workdir={tmp_path / 'out'}"]) == 0
    looks = json.loads((tmp_path / "out" / regret.NUMBERS).read_text())["looks"]
    assert [(x["pool"], x["seed"], x["labels"]) for x in looks[:2]] == [("one", s, 60) for s in (0, 1)]
    for look in looks:
        assert set(look["scores"]) == {"loo", "evidence", "folds"} and 0.3 < look["best"] <= 1
        assert all(score <= look["best"] + 0.02 for score in look["scores"].values())
    text = (tmp_path / "out" / regret.PAGE).read_text()
    assert "| two | 60 |" in text and "| *all pools* | 60 |" in text
    capsys.readouterr()
    assert regret.main([files[0], "--labels=20,900", f"--workdir={tmp_path / 'no'}"]) == 2
    assert "--labels: 900 rows of 'one', which has 240" in capsys.readouterr().err and not (tmp_path / "no").exists()
