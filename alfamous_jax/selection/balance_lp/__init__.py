"""The class-balanced batch by linear programming, with a certificate (CBAL Eq. 8, AL-FaMoUS Eq. 3 with b > 1)."""

from alfamous_jax.selection.balance_lp._batch import Curve, choose_lambda, select_batch
from alfamous_jax.selection.balance_lp._relaxation import Dual, solve_dual

__all__ = ["Curve", "Dual", "choose_lambda", "select_batch", "solve_dual"]
