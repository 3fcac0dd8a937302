"""Rows at the boundary of a class: by cuts in a ranking of the pool, GALAXY and DIRECT, or by distances, BASE."""

from alfamous_jax.selection.boundary._base import base
from alfamous_jax.selection.boundary._direct import direct
from alfamous_jax.selection.boundary._galaxy import galaxy

__all__ = ["base", "direct", "galaxy"]
