"""Ctrl-C and SIGTERM: one line and the exit code of the signal, whatever the process is at."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from experiments import stopping

ROOT = pathlib.Path(__file__).parents[2]
# A job in the background of a shell is started deaf to Ctrl-C, and so are its children.
BEGIN = "import gc, hashlib, signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
BEGIN += "from experiments import stopping; stopping.GRACE_S = 2; stopping.begin()\n"
READY = "print('ready', flush=True)"
TOLD = "with stopping.in_order('told'):\n "
AT = {  # what a process is at when the signal comes
    "imports": f"{READY}; time.sleep(30)",
    "in order": f"{TOLD} try: {READY}; time.sleep(30)\n  finally: print('tidy')",
    # A callback of the collector, as JAX has one: what it raises is printed and lost, and the program goes on.
    "a callback": f"def wait(phase, _): phase == 'stop' or ({READY}, time.sleep(30))\n"
    f"gc.callbacks.append(wait)\n{TOLD} gc.collect(); gc.callbacks.clear(); time.sleep(30)",
    # C code that holds on, as a compiler does: Python hears nothing until it is back.
    "C code": f"{TOLD} {READY}; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
    "a deaf library": f"{TOLD} try: {READY}; time.sleep(30)\n  except: time.sleep(30)",
    # An error that a library makes of the signal.
    "another error": f"{TOLD} try: {READY}; time.sleep(30)\n  except BaseException: 1 / 0",
    "a start": f"{TOLD} with stopping.deaf_children(): {READY}; time.sleep(.2); print('started')",
}


PIPES = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.mark.slow
@pytest.mark.parametrize("number", stopping.CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("at", AT)
def test_a_signal_is_one_line_and_its_exit_code(at, number):
    child = subprocess.Popen([sys.executable, "-c", BEGIN + AT[at]], **PIPES, text=True)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    started = time.monotonic()
    out, said = child.communicate(timeout=20)
    assert (child.returncode, said) == (stopping.CODES[number], "stopped\n" if at == "imports" else "told\n")
    assert time.monotonic() - started < 10
    assert out == {"in order": "tidy\n", "a start": "started\n"}.get(at, "")


def test_who_does_not_want_to_wait_sends_it_again():
    code = f"{BEGIN}stopping.GRACE_S, stopping.AGAIN_S = 30, .1\n"
    code += f"{TOLD} try: {READY}; time.sleep(30)\n  finally: time.sleep(30)"
    child = subprocess.Popen([sys.executable, "-c", code], **PIPES)
    child.stdout.readline()
    for _ in range(2):
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert child.communicate(timeout=20)[1] == b"told\n" and child.returncode == 130


def test_functions_of_a_command_leave_signals_alone(capfd):
    """Only a command that was started takes them: not an import, not a test that calls `main`."""
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with pytest.raises(SystemExit) as ended, stopping.in_order("told"):
        raise KeyboardInterrupt
    assert ended.value.code == 130 and capfd.readouterr().err == "told\n"
    with pytest.raises(ValueError, match="as it was"), stopping.in_order("told"):
        raise ValueError("as it was")


def test_children_do_not_hear_the_keyboard():
    code = "import signal, sys; sys.exit(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    with stopping.deaf_children():
        deaf = subprocess.Popen([sys.executable, "-c", code])
    assert deaf.wait() == 1 and subprocess.call([sys.executable, "-c", code]) == 0


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="this system does not say what is caught")
@pytest.mark.parametrize(
    "door",
    ["run", "single_stage", "train_source", "report", "paper", "bench", "benchmark", "annotate", "conformance"]
    + ["scaling", "precision"],
)
def test_every_command_takes_signals_before_its_imports(door):
    """As soon as the process catches SIGTERM at all, it ends by it in one line; JAX is far from loaded then."""
    command = [sys.executable, "-m", f"experiments.{door}", "--help"]
    child = subprocess.Popen(command, **PIPES, text=True)
    status, term = pathlib.Path(f"/proc/{child.pid}/status"), 1 << (signal.SIGTERM - 1)
    while not int(status.read_text().split("SigCgt:")[1].split()[0], 16) & term:
        time.sleep(0.002)
    child.send_signal(signal.SIGTERM)
    out, said = child.communicate(timeout=20)
    assert (child.returncode, out, said) == (143, "", "stopped\n")
