"""One cycle's picks by any strategy: every method sees the same view of the pool and answers alike."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import acquisition, cycle, laplace
from alfamous_jax.autoencoders import stage_vae, vaal, vabal, vae
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.laplace import Posterior
from alfamous_jax.selection import balance, balance_lp, batch_bald, centroids, diversity, minority


class View(NamedTuple):
    """What a strategy may look at; rows are those of the pool that may be asked for, and those labelled before."""

    posterior: Posterior
    phi: jax.Array  # [N, D]
    labels: jax.Array  # [N], the oracle's answers, revealed as rows are picked
    available: jax.Array  # [N]
    labelled: jax.Array  # [N]
    counts: jax.Array  # [K]
    features: jax.Array | None  # [N, H], of the penultimate layer, for the methods in NEEDS_FEATURES
    stages: tuple[jax.Array, ...] | None  # each [N, width], the last four of the backbone, for those in NEEDS_STAGES
    prob_samples: jax.Array | None  # [S, N, K], under dropout masks, for those in NEEDS_SAMPLES
    inputs: jax.Array  # [M, ...], of the training set
    rows: jax.Array  # [N], of the training set


class Picks(NamedTuple):
    """A batch and what a caller has to know of it."""

    indices: jax.Array  # [b], -1 where no row was left
    num_selected: jax.Array
    num_invalid: jax.Array


class VabalSettings(NamedTuple):
    """The paper's, but for what a config or an ablation sets; static."""

    training: stage_vae.Training = stage_vae.Training()
    scoring: vabal.Scoring = vabal.Scoring()
    constraint: str = "square"
    batch_norm: bool = False
    kl_weight: float = 1.0


class Settings(NamedTuple):
    """What a method is told besides the view; static."""

    utility: str | cycle.Utility
    minibatch: int
    update: bool
    budget: int
    num_samples: int  # of the posterior, for batch_bald
    vae_steps: int  # of vaal
    vabal: VabalSettings
    axis_name: str | None = None  # the mesh axis that the rows are split over, for the methods in strategies.SPLIT


Method = Callable[[jax.Array, View, jax.Array, Settings], Picks]


def by_cycle(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """`cycle.run`: utilities of the last layer's posterior, with its fast update between queries or without."""
    _, info = cycle.run(
        key, view.posterior, view.phi, view.labels, view.available, view.counts,
        utility=settings.utility, lam=lam, budget=settings.budget,
        minibatch=settings.minibatch, update=settings.update, axis_name=settings.axis_name,
    )  # fmt: skip
    return Picks(info.indices, info.num_selected, info.num_invalid)


def by_pseudo_label(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """The balance is of predicted classes instead of probabilities (Entropy-L1-pseudo-label of CBAL)."""
    state = cycle.init(view.posterior, view.phi, view.available, view.counts)
    utilities, probs = cycle.score(state, key, settings.utility)
    predicted = jnp.argmax(probs, axis=-1)
    demand = _demand(view, settings)
    return _picks(balance.select_pseudo_label(utilities, predicted, demand, lam, view.available, settings.budget))


def by_mc_dropout(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """BALD over dropout masks, balanced by the mean of the draws."""
    utilities, probs = acquisition.bald(view.prob_samples), jnp.mean(view.prob_samples, axis=0)
    demand = _demand(view, settings)
    return _picks(balance_lp.select_batch(utilities, probs, demand, lam, view.available, settings.budget))


def by_k_center(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Distances in the penultimate layer."""
    probs = laplace.mean_field(*laplace.predict(view.posterior, view.phi))
    rows, axis_name = (view.features, view.labelled, view.available), settings.axis_name
    return _picks(diversity.k_center_balanced(*rows, probs, _demand(view, settings), lam, settings.budget, axis_name))


def by_badge(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Gradients of the last layer, at its mean weights."""
    probs = jax.nn.softmax(laplace.predict(view.posterior, view.phi)[0])
    return _picks(diversity.badge(key, probs, view.phi, view.available, settings.budget, settings.axis_name))


def by_batch_bald(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Draws of the last layer's weights."""
    weights_key, key = jax.random.split(key)
    weights = laplace.sample_weights(weights_key, view.posterior, settings.num_samples)
    logits = jnp.einsum("nd,skd->snk", view.phi, weights, precision=HIGHEST)
    return _picks(batch_bald.select(key, jax.nn.softmax(logits), view.available, settings.budget))


def by_vaal(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Utilities of an adversarial autoencoder of the inputs, trained anew in every cycle."""
    probs = laplace.mean_field(*laplace.predict(view.posterior, view.phi))
    model = vae.build(view.inputs.shape[1:])
    models, _ = vaal.fit(
        key, view.inputs, view.rows, view.labelled, view.available, model=model, num_steps=settings.vae_steps
    )
    utilities = vaal.utility(models, view.inputs, view.rows, model=model)
    demand = _demand(view, settings)
    return _picks(balance_lp.select_batch(utilities, probs, demand, lam, view.available, settings.budget))


def by_vabal(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Utilities of an autoencoder of the classifier's stages, trained anew in every cycle."""
    logits, variance = laplace.predict(view.posterior, view.phi)
    how = _form_of_vabal(settings.utility, settings.vabal)
    model = stage_vae.StageVAE(view.counts.shape[0], len(view.stages), how.constraint, how.batch_norm, how.kl_weight)
    fit_key, key = jax.random.split(key)
    predicted = jnp.argmax(logits, axis=-1)
    models, _ = stage_vae.fit(fit_key, view.stages, predicted, view.available, model=model, training=how.training)
    rows = view.labels, view.labelled, view.available
    utilities, _ = vabal.utility(key, models, view.stages, *rows, model=model, scoring=how.scoring)
    probs, demand = laplace.mean_field(logits, variance), _demand(view, settings)
    return _picks(balance_lp.select_batch(utilities, probs, demand, lam, view.available, settings.budget))


def by_minority(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Slots for the classes that lack labels, in the order and with the auxiliary that the utility names."""
    probs = laplace.mean_field(*laplace.predict(view.posterior, view.phi))
    within, auxiliary = settings.utility.split("-")
    rows = view.features, view.labels, view.labelled, view.available, view.counts
    return _picks(minority.select(key, probs, *rows, budget=settings.budget, within=within, auxiliary=auxiliary))


def by_centroids(key: jax.Array, view: View, lam: jax.Array, settings: Settings) -> Picks:
    """Centroid balancing; a label is revealed before the next pick, or the predicted one believed within a batch."""
    labels = view.labels
    if settings.utility == "predicted":
        predicted = jnp.argmax(laplace.predict(view.posterior, view.phi)[0], axis=-1)
        labels = jnp.where(view.labelled, labels, predicted)
    rows = view.features, labels, view.labelled, view.available
    num_classes = view.counts.shape[0]
    indices, num_invalid = centroids.select(*rows, num_classes=num_classes, budget=settings.budget)
    return Picks(indices, jnp.sum(indices >= 0), num_invalid)


METHODS: dict[str, Method] = {
    "cycle": by_cycle,
    "pseudo_label": by_pseudo_label,
    "mc_dropout": by_mc_dropout,
    "k_center": by_k_center,
    "badge": by_badge,
    "batch_bald": by_batch_bald,
    "vaal": by_vaal,
    "vabal": by_vabal,
    "minority": by_minority,
    "centroids": by_centroids,
}
NEEDS_FEATURES = ("k_center", "minority", "centroids")
NEEDS_SAMPLES = ("mc_dropout",)
NEEDS_STAGES = ("vabal",)
NUM_STAGES = 4


def _form_of_vabal(form: str, how: VabalSettings) -> VabalSettings:
    """The settings of one of `strategies.FORMS`."""
    if form in stage_vae.MEASURES:
        return how._replace(constraint=form)
    if form in ("likelihood", "prior", "difficulty"):
        return how._replace(
            scoring=how.scoring._replace(use_prior=form == "prior", use_difficulty=form == "difficulty")
        )
    if form == "authors":
        return VabalSettings(
            training=how.training._replace(learning_rate=0.01, milestones=(16,)),
            scoring=how.scoring._replace(use_difficulty=False, likelihood="loss", prior_from="available"),
            batch_norm=True,
        )
    return how


def _demand(view, settings):
    return balance.class_demand(view.counts, jnp.sum(view.counts) + settings.budget)


def _picks(selection):
    return Picks(selection.indices, selection.num_selected, selection.num_invalid)
