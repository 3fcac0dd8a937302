"""Where a default of VaB-AL comes from: printed in the paper, from its authors' code, or ours; the fields say which."""

import inspect
import re

import pytest

from alfamous_jax.autoencoders.stage_vae import StageVAE, Training
from alfamous_jax.autoencoders.vabal import Scoring
from experiments.published import vabal

PRINTED = vabal.AUTOENCODER | {"constraint": "square", "use_prior": True, "use_difficulty": True}
PRINTED |= {"prior_from": "labelled"}  # Eq. 12
SHAPES = ("num_classes", "num_stages", "parent", "name")
AUTHORS, OURS = {"mask_in_training", "kl_weight", "batch_norm", "milestones"}, {"likelihood"}


def fields(owner):
    """Field -> default and the comment beside it."""
    lines = re.findall(r"^    (\w+): [^#=]+= ([^#]+?)  ?#? ?(.*)$", inspect.getsource(owner), re.MULTILINE)
    plain = re.findall(r"^    (\w+): [^#=]+= ([^#\n]+)$", inspect.getsource(owner), re.MULTILINE)
    return {name: "" for name, _ in plain} | {name: comment for name, _, comment in lines}


@pytest.mark.parametrize("owner", [Training, Scoring, StageVAE])
def test_every_default_says_where_it_is_from(owner):
    names = [name for name in owner.__annotations__ if name not in SHAPES]
    comments = fields(owner)
    assert {*names} <= {*PRINTED} | AUTHORS | OURS and len(names) >= 3
    for name in names:
        if name in PRINTED:
            default = owner.constraint if owner is StageVAE else owner._field_defaults[name]
            assert default == PRINTED[name], f"{name} is printed in the paper as {PRINTED[name]}"
        else:
            word = "ours" if name in OURS else "authors'"
            assert word in comments[name], f"{name} is not in the paper, which its comment must say"
    assert "defaults are the paper's" not in owner.__doc__


def test_the_score_of_the_authors_is_said_to_lack_a_term():
    assert "authors' code leaves it out" in fields(Scoring)["use_difficulty"]
