"""One checkpoint a cycle through orbax: the state of a group of lanes and the records written so far."""

import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp


class State(NamedTuple):
    """All that the next cycle needs, and all that a checkpoint holds."""

    cycle: int  # the next one
    arrays: dict[str, Any]  # the same structure and shapes in every cycle
    records: list[dict]  # of the cycles before


def manager(folder: pathlib.Path) -> ocp.CheckpointManager:
    """Opens the checkpoints of a group; the last two cycles are kept."""
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.absolute(), options=options)


def save(checkpoints: ocp.CheckpointManager, state: State) -> None:
    """Writes a state under the number of its last finished cycle; it is there whole or not at all."""
    arrays, records = jax.tree.map(np.asarray, state.arrays), state.records
    args = ocp.args.Composite(state=ocp.args.StandardSave(arrays), records=ocp.args.JsonSave(records))
    checkpoints.save(state.cycle - 1, args=args)


def restore(checkpoints: ocp.CheckpointManager, start: State) -> State:
    """Reads the latest state.

    Args:
      checkpoints: of `manager`.
      start: the state before the first cycle, of the right structure and shapes.

    Returns:
      the state; `start` if there is no checkpoint yet.

    Raises:
      ValueError: the checkpoint is damaged; names its folder.
    """
    cycle = checkpoints.latest_step()
    if cycle is None:
        return start
    target = jax.tree.map(np.asarray, start.arrays)
    args = ocp.args.Composite(state=ocp.args.StandardRestore(target), records=ocp.args.JsonRestore())
    try:
        restored = checkpoints.restore(cycle, args=args)
        for wanted, found in zip(jax.tree.leaves(target), jax.tree.leaves(restored.state), strict=True):
            if wanted.shape != found.shape:
                raise ValueError(f"an array has shape {found.shape}, wanted {wanted.shape}")
    except Exception as error:  # orbax and tensorstore raise many kinds for a damaged file
        folder = checkpoints.directory / str(cycle)
        reason = str(error).splitlines()[0][:200]
        raise ValueError(
            f"checkpoint {folder} cannot be read ({reason}); delete it to go on from the one before"
        ) from error
    return State(cycle + 1, restored.state, restored.records)
