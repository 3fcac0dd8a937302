"""One acquisition cycle of AL-FaMoUS (Algorithm 1): query, label, update the last layer, query again.

`init`, `query` and `update` serve a caller who labels as they go; `run` is the same steps in one scan
for a simulated oracle. The strategies of the paper are settings of `run`:

    baseline (US, BALD)   minibatch = budget, update = False, lam = 0
    class-balanced (CB)   minibatch = budget, update = False, lam > 0
    fast update (FBU)     minibatch = 1,      update = True,  lam = 0
    AL-FaMoUS             minibatch = 1,      update = True,  lam > 0

All of it runs inside `shard_map` too, with the rows of the pool split over the mesh axis `axis_name`, and posterior,
counts, lam and key on every device. Row numbers are those of the whole pool, ties go to the lowest, and every device
ends with the picks of one device. These can differ where two rows are within rounding of each other, as a product of
matrices may round otherwise for a part of the rows; and in a batch with lam > 0, which rests on sums over all rows and
which `select_batch` compares with the greedy one on one device only.
"""

from alfamous_jax.cycle._acquire import CycleInfo, acquire, run
from alfamous_jax.cycle._query import QueryInfo, query, score
from alfamous_jax.cycle._state import PoolState, init
from alfamous_jax.cycle._update import count, num_invalid, update

__all__ = [
    "CycleInfo",
    "PoolState",
    "QueryInfo",
    "acquire",
    "count",
    "init",
    "num_invalid",
    "query",
    "run",
    "score",
    "update",
]
