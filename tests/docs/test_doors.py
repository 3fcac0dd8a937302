"""Every command that the documentation names starts, and says how it is used."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTED = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md", *ROOT.glob("configs/*.py")]
COMMAND = re.compile(r"python (-m experiments[\w.]*|(?:experiments|tools)/[\w/]+\.py)")
COMMANDS = sorted({name for path in DOCUMENTED for name in COMMAND.findall(path.read_text(encoding="utf-8"))})


def test_commands_are_found():
    assert {"-m experiments.run", "-m experiments.report", "-m experiments.paper", "-m experiments.bench"} < set(
        COMMANDS
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_how_it_is_used(command):
    done = subprocess.run([sys.executable, *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True)
    said = done.stdout or done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode in (0, 1) and "--" in done.stdout) or len(said.strip().splitlines()) == 1, said
