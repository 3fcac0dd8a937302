"""Measurements in processes of their own, which end with the one that wants them."""

import subprocess
from collections.abc import Mapping, Sequence

from experiments import stopping


def outputs(commands: Sequence[Sequence[str]], what: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """What some commands print, run side by side.

    Args:
      commands: of a measurement.
      what: is measured, for the message.
      environment: of the processes, if not that of this one.

    Raises:
      RuntimeError: one of them cannot be started or fails; with the last line that it said.
    """
    running: list[subprocess.Popen] = []
    try:
        for command in commands:
            with stopping.deaf_children():
                process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
                )
                running.append(process)
        found = [process.communicate() for process in running]
        for process, (_, said) in zip(running, found, strict=True):
            if process.returncode:
                last = (said.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
                raise RuntimeError(f"the measurement of {what} failed ({last})")
        return [output for output, _ in found]
    except OSError as error:
        raise RuntimeError(f"the measurement of {what} cannot be started ({error})") from None
    finally:
        for process in running:
            process.kill()
