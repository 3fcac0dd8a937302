"""VaB-AL: the probability of a mistake, by an autoencoder of the classifier's stages trained anew in every cycle."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import laplace
from alfamous_jax.autoencoders import stage_vae, vabal
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection.balance_lp import Curve
from experiments.learning.methods._method import Method, balanced_batch, choose_lambda
from experiments.learning.view import View
from experiments.plan.strategies import Strategy

# The terms of Table 1, the constraints of Table 2, and what the authors' code does: its score has no p(y_n | yhat_n),
# takes the loss itself for the likelihood and the prior from the pool. The layer on the stages stays the paper's.
TERMS, CONSTRAINTS, AUTHORS = ("likelihood", "prior", "difficulty"), ("absolute", "sigmoid"), "authors"
OPTIONS = (*TERMS, *CONSTRAINTS, AUTHORS)
WEIGHT = "weight"  # and a number: lambda of Eq. 10, which Fig. 7 varies


class Settings(NamedTuple):
    """Defaults of the library, which say what is the paper's and what is not; static."""

    budget: int
    training: stage_vae.Training = stage_vae.Training()
    scoring: vabal.Scoring = vabal.Scoring()
    constraint: str = "square"
    batch_norm: bool = False
    kl_weight: float = 1.0


def settings(config: Mapping, strategy: Strategy, axis_name: str | None) -> Settings:
    """`config.vabal`, and what the option after @ changes of it."""
    fields, form = config["vabal"], strategy.option
    training = stage_vae.Training(**{name: fields[name] for name in stage_vae.Training._fields})
    scoring = vabal.Scoring(**{name: fields[name] for name in vabal.Scoring._fields if name in fields})
    own = Settings(config["budget"], training, scoring, fields["constraint"], fields["batch_norm"], fields["kl_weight"])
    if form in CONSTRAINTS:
        return own._replace(constraint=form)
    if form in TERMS:
        return own._replace(scoring=scoring._replace(use_prior=form == "prior", use_difficulty=form == "difficulty"))
    if form == AUTHORS:
        return Settings(
            config["budget"],
            training=training._replace(learning_rate=0.01, milestones=(16,)),
            scoring=scoring._replace(use_difficulty=False, likelihood="loss", prior_from="available"),
            batch_norm=True,
        )
    if form.startswith(WEIGHT):
        return own._replace(training=training._replace(weight=_weight(form)))
    return own


def pick(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Selection:
    """Trains the autoencoder on the pool and scores its rows."""
    return balanced_batch(*score(key, view, settings), view, lam, settings.budget)


def choose(key: jax.Array, view: View, settings: Settings, grid: jax.Array) -> tuple[jax.Array, Curve]:
    """By one training of the autoencoder, the same that `pick` has with this key."""
    return choose_lambda(*score(key, view, settings), view, settings.budget, grid)


def score(key: jax.Array, view: View, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """Utilities [N] and the classifier's probabilities [N, K]."""
    assert view.stages is not None
    logits, variance = laplace.predict(view.posterior, view.phi)
    how = settings
    model = stage_vae.StageVAE(view.counts.shape[0], len(view.stages), how.constraint, how.batch_norm, how.kl_weight)
    fit_key, key = jax.random.split(key)
    predicted = jnp.argmax(logits, axis=-1)
    models, _ = stage_vae.fit(fit_key, view.stages, predicted, view.available, model=model, training=how.training)
    rows = view.labels, view.labelled, view.available
    utilities, _ = vabal.utility(key, models, view.stages, *rows, model=model, scoring=how.scoring)
    return utilities, laplace.mean_field(logits, variance)


def check(config: Mapping, strategy: Strategy) -> None:
    """The option is one of the ablations, or a weight from 0 on."""
    option = strategy.option
    if option and option not in OPTIONS and not (option.startswith(WEIGHT) and 0 <= _weight(option) < math.inf):
        raise ValueError(f"{str(strategy)!r}: after @ comes one of {', '.join(OPTIONS)}, or {WEIGHT} and a number >= 0")


def _weight(option: str) -> float:
    """The number after the word, NaN where there is none."""
    try:
        return float(option.removeprefix(WEIGHT))
    except ValueError:
        return math.nan


METHOD = Method(
    bases={
        "vabal": "VaB-AL on the last four stages of the backbone, `config.vabal`; `vabal@likelihood`, `@prior`, "
        "`@difficulty` have one term of its score alone with the likelihood, `@absolute` and `@sigmoid` another "
        "constraint on the latent, `@authors` what its authors' code does, `@weight0.05` another weight of the class "
        "term"
    },
    pick=pick,
    settings=settings,
    choose=choose,
    check=check,
    forms=("", "cb"),
    options=f"{', '.join(OPTIONS)}, {WEIGHT} and a number",
    needs=("stages",),
    draws="training",
)
