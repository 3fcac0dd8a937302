"""Measurements in processes of their own, which end with the one that wants them."""

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from experiments import stopping


def outputs(commands: Sequence[Sequence[str]], what: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """What some commands print, run side by side; where one fails the others are ended.

    Args:
      commands: of a measurement.
      what: is measured, for the message.
      environment: of the processes, if not that of this one.

    Raises:
      RuntimeError: one of them cannot be started or fails; with the last line that it said.
    """
    running: list[subprocess.Popen] = []
    with ThreadPoolExecutor(len(commands)) as pool:
        try:
            for command in commands:
                with stopping.deaf_children():
                    process = subprocess.Popen(
                        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
                    )
                    running.append(process)
            waiting = {pool.submit(process.communicate): process for process in running}
            for done in as_completed(waiting):
                if code := waiting[done].returncode:
                    last = (done.result()[1].strip().splitlines() or [f"exit code {code}"])[-1]
                    raise RuntimeError(f"the measurement of {what} failed ({last})")
            return [done.result()[0] for done in waiting]
        except OSError as error:
            raise RuntimeError(f"the measurement of {what} cannot be started ({error})") from None
        finally:
            for process in running:
                process.kill()
