"""Label a pool by hand: ask for the row that teaches most, tell its label, ask again; stop, undo, go on another day."""

from alfamous_jax.session._ledger import Answer
from alfamous_jax.session._session import Session
from alfamous_jax.session._views import Progress

__all__ = ["Answer", "Progress", "Session"]
