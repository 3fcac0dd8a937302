"""A process of several: what it listens on, and how a signal ends it."""

import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from experiments.engines import choose, distributed

ROOT = pathlib.Path(__file__).parents[3]
CODE = """
import sys
from experiments import stopping
stopping.begin()
from experiments.engines import distributed
with stopping.in_order("told"):
    distributed.start(sys.argv[1], "pool")
    import jax, time
    print(jax.process_count(), flush=True)
    time.sleep(60)
"""


def listening(port):
    """Addresses, in hexadecimal, on which somebody listens at a port."""
    tables = (pathlib.Path("/proc/net") / name for name in ("tcp", "tcp6"))
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


@pytest.mark.slow
def test_sigterm_ends_it_in_one_line_and_the_coordinator_listens_on_loopback():
    """JAX would take SIGTERM for itself, and listen on every interface."""
    with socket.socket() as server:
        server.bind(("localhost", 0))
        port = server.getsockname()[1]
    command = [sys.executable, "-c", CODE, f"localhost:{port},1,0"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "1\n", child.communicate()[1]
    if pathlib.Path("/proc/net/tcp").exists():
        assert listening(port) in ({"0100007F"}, {"0000000000000000FFFF00000100007F"})
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said.splitlines()[-1]) == (143, "told")
    assert "lost" not in said, "the companion speaks for a process that was ended on purpose"


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "127.3.2.1:1", "[::1]:1"])
def test_addresses_of_this_machine_alone(address):
    assert distributed._is_loopback(address)


@pytest.mark.parametrize("address", ["head:1", "10.0.0.1:1", "0.0.0.0:1", "[::]:1", "localhost.example.org:1"])
def test_other_addresses(address):
    assert not distributed._is_loopback(address)


def test_a_ray_of_this_machine_is_told_to_listen_on_loopback(monkeypatch):
    """By a variable that Ray reads when it is imported; a cluster of somebody else's is left as it is."""
    seen = []
    monkeypatch.setattr(choose, "_import_ray", lambda: seen.append(choose.os.environ.get(choose.RAY_NETWORK)))
    for name in (choose.RAY_NETWORK, "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    choose.ray_engine("head:6379")
    choose.ray_engine("")
    monkeypatch.delenv(choose.RAY_NETWORK)
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    choose.ray_engine("")
    assert seen == [None, "0", None]
