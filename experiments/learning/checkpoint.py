"""One checkpoint a cycle through orbax: the state of a group of lanes and the records written so far."""

import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp


def manager(folder: pathlib.Path) -> ocp.CheckpointManager:
    """Opens the checkpoints of a group; the last two cycles are kept."""
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.absolute(), options=options)


def save(checkpoints: ocp.CheckpointManager, cycle: int, state: dict, records: list[dict]) -> None:
    """Writes a finished cycle; it is there whole or not at all."""
    state = jax.tree.map(np.asarray, state)
    checkpoints.save(
        cycle, args=ocp.args.Composite(state=ocp.args.StandardSave(state), records=ocp.args.JsonSave(records))
    )


def restore(checkpoints: ocp.CheckpointManager, template: dict) -> tuple[int, dict, list[dict]] | None:
    """Reads the latest finished cycle.

    Args:
      checkpoints: of `manager`.
      template: a state of the right structure and shapes.

    Returns:
      cycle, state and records; None if there is no checkpoint yet.

    Raises:
      ValueError: the checkpoint is damaged; names its folder.
    """
    cycle = checkpoints.latest_step()
    if cycle is None:
        return None
    target = jax.tree.map(np.asarray, template)
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
    return cycle, restored.state, restored.records
