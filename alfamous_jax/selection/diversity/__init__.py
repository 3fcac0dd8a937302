"""Batches that cover a feature space (k-center, its balanced form, BADGE) or take turns between groups of rows."""

from alfamous_jax.selection.diversity._badge import badge
from alfamous_jax.selection.diversity._k_center import k_center, k_center_balanced
from alfamous_jax.selection.diversity._robust import MOST_ROWS, k_center_robust
from alfamous_jax.selection.diversity._round_robin import diversify

__all__ = ["MOST_ROWS", "badge", "diversify", "k_center", "k_center_balanced", "k_center_robust"]
