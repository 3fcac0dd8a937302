"""Rows at the boundary of a class in a ranking of the pool, found as a cut in a line is: GALAXY and DIRECT."""

from alfamous_jax.selection.boundary._direct import direct
from alfamous_jax.selection.boundary._galaxy import galaxy

__all__ = ["direct", "galaxy"]
