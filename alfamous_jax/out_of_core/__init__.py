"""A pool that lies in a file and in no memory: the rows that can win a cycle, and whether they did.

`sift` passes over the file once, scores every row and keeps the best; the cycle then runs on these alone, exactly, in
memory. `missed` passes over it once more and counts the rows left out that would have been picked in their place.
"""

from alfamous_jax.out_of_core._missed import Missed, missed
from alfamous_jax.out_of_core._sift import Kept, sift

__all__ = ["Kept", "Missed", "missed", "sift"]
