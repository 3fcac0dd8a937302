"""One checkpoint a cycle through orbax: the state of a group of lanes and the records written so far, under a seal.

The seal is a file beside what orbax writes, with a digest of every file, and of the group and the cycle that it is of.
"""

import pathlib
import shutil
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils

from experiments.store import digests, files

SEAL = "seal.json"


class State(NamedTuple):
    """All that the next cycle needs, and all that a checkpoint holds."""

    cycle: int  # the next one
    arrays: dict[str, Any]  # the same structure and shapes in every cycle
    records: list[dict]  # of the cycles before


def manager(folder: pathlib.Path, origin: str) -> ocp.CheckpointManager:
    """Opens the checkpoints of a group, whose latest one is looked at first; the last two cycles are kept.

    Args:
      folder: of the group.
      origin: what the lanes learn from, in a word; only there is a state good for anything.

    Raises:
      ValueError: a bit of the latest checkpoint is another one, it is a copy of another cycle's or group's, or was
        written with other data; names its folder.
    """
    logging.set_verbosity(logging.FATAL)  # of orbax, which prints at length what is an exception here or no matter
    _check(folder, origin)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(str(folder))  # the first process may have had something to delete
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder.absolute(), options=options)


def save(checkpoints: ocp.CheckpointManager, state: State, origin: str) -> None:
    """Writes a state under the number of its last finished cycle; it is there whole or not at all.

    Args:
      checkpoints: of `manager`.
      state: it.
      origin: as for `manager`.
    """
    arrays, records = jax.tree.map(np.asarray, state.arrays), state.records
    args = ocp.args.Composite(state=ocp.args.StandardSave(arrays), records=ocp.args.JsonSave(records))
    checkpoints.save(state.cycle - 1, args=args)
    if jax.process_index() == 0:
        folder = pathlib.Path(str(checkpoints.directory), str(state.cycle - 1))
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not files.is_litter(path.name)]
        written = {str(path.relative_to(folder)): digests.of_file(path) for path in paths}
        seal = {"origin": origin, "files": written, "seal": _of_seal(folder, origin, written)}
        files.write_json(folder / SEAL, seal)


def restore(checkpoints: ocp.CheckpointManager, start: State) -> State:
    """Reads the latest state.

    Args:
      checkpoints: of `manager`.
      start: the state before the first cycle, of the right structure and shapes.

    Returns:
      the state; `start` if there is no checkpoint yet.

    Raises:
      ValueError: the checkpoint cannot be read, or holds something else; names its folder.
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
    except Exception as error:  # orbax and tensorstore raise many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise _unreadable(checkpoints.directory / str(cycle), reason) from error
    return State(cycle + 1, restored.state, restored.records)


def _check(group: pathlib.Path, origin: str) -> None:
    """Refuses the latest checkpoint of a group if a file of it is not as it was, before orbax sees it."""
    steps = sorted(int(path.name) for path in group.glob("[0-9]*") if path.name.isdecimal()) if group.is_dir() else []
    if not steps:
        return
    folders = [group / str(step) for step in steps]
    sealed = [(folder / SEAL).exists() for folder in folders]
    if not sealed[-1] and (steps == [0] or sealed[:-1][-1:] == [True]):
        if jax.process_index() == 0:  # killed between the checkpoint and its seal: the cycle is done again
            shutil.rmtree(folders[-1])
        folders.pop()
    if folders:
        _check_files(folders[-1], origin)


def _check_files(folder: pathlib.Path, origin: str) -> None:
    try:
        seal = files.read_json(folder / SEAL)
        written_with, written = str(seal.get("origin")), seal.get("files")
        if not seal:
            raise ValueError(f"it has no {SEAL}")
        if not isinstance(written, dict) or seal.get("seal") != _of_seal(folder, written_with, written):
            raise ValueError(f"its {SEAL} is damaged, or of another cycle or group")
        for name, digest in written.items():
            if digests.of_file(folder / name) != digest:
                raise ValueError(f"{name} is damaged")
    except (ValueError, OSError) as error:
        raise _unreadable(folder, str(error)) from None
    if written_with != origin:
        raise ValueError(
            f"checkpoint {folder} was written with other data or another source network (digest {written_with}, now "
            f"{origin}); resume with those of then, or choose another workdir"
        )


def _unreadable(folder: object, reason: str) -> ValueError:
    return ValueError(f"checkpoint {folder} cannot be read ({reason}); delete it to go on from the one before")


def _of_seal(folder: pathlib.Path, origin: str, written: dict[str, str]) -> str:
    return digests.of({}, folder.parent.name, folder.name, origin, *(f"{name} {x}" for name, x in written.items()))
