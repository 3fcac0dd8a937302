"""Rows that stand for the pool: weighted coverage under a kernel, its weights and radii, and ProbCover."""

from alfamous_jax.selection.coverage._prob_cover import prob_cover
from alfamous_jax.selection.coverage._radius import least_distance, pure_radius
from alfamous_jax.selection.coverage._select import select
from alfamous_jax.selection.coverage._weights import class_weights, doubt

__all__ = ["class_weights", "doubt", "least_distance", "prob_cover", "pure_radius", "select"]
