"""What is done to a run: signals to the driver and its workers, a second driver, damage to its files."""

import os
import pathlib
import shutil
import signal
import time

from tests.soak.drivers import PATIENCE_S, Failed, Place, finish, left_alone, start


def kill_driver(place: Place) -> str:
    how = place.rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    process = start(place)
    _wait(place, process)
    if process.is_alive():
        os.kill(process.pid, how)
    process.join(PATIENCE_S)
    if process.is_alive():
        raise Failed(f"alive after {how.name}")
    return f"{how.name} of the driver"


def kill_worker(place: Place) -> str:
    how = place.rng.choice([signal.SIGKILL, signal.SIGTERM])
    process = start(place)
    _wait(place, process)
    if worker := _worker(place):
        _signal(worker, how)
    code, said = finish(process)
    if code and "lost its worker" not in said:
        raise Failed(f"refused for a lost worker: {said}")
    return f"{how.name} of a worker"


def stop_worker(place: Place) -> str:
    """Whoever resumes then waits for it, and says so."""
    process = start(place)
    _wait(place, process)
    worker = _worker(place)
    if worker:
        _signal(worker, signal.SIGSTOP)
    process.kill()
    process.join()
    if not worker or not _is_there(worker):
        return "SIGKILL of the driver"
    second, end = start(place), time.monotonic() + PATIENCE_S
    while second.is_alive() and f"process {worker} on " not in second.log.read_text() and time.monotonic() < end:
        time.sleep(0.1)
    _signal(worker, signal.SIGKILL)
    said = finish(second)[1]
    if f"process {worker} on " not in said and not left_alone(place):
        raise Failed(f"waited without a word: {said}")
    return "SIGSTOP of a worker"


def start_twice(place: Place) -> str:
    first = start(place)
    _wait(place, first)
    ends = [finish(process) for process in (start(place), first)]
    for code, said in ends:
        if code and "another process is running there (" not in said:
            raise Failed(f"two at once: {said}")
    return "two at once"


def damage(place: Place) -> str:
    rng = place.rng
    paths = sorted(path for path in place.workdir.rglob("*") if path.is_file() and path.suffix not in (".png", ".md"))
    if not paths:
        return ""
    path = rng.choice(paths)
    content, how = path.read_bytes(), rng.choice(["flip", "flip", "cut", "add", "delete", "copy"])
    if how == "flip" and content:
        at = rng.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
    elif how == "cut":
        path.write_bytes(content[: rng.randrange(len(content) + 1)])
    elif how == "add":
        path.write_bytes(content + rng.choice([b"{}\n", b"\0" * 64, content, b'{"strategy": "us", "seed": 7}\n']))
    elif how == "delete":
        path.unlink()
    elif how == "copy" and (cycles := sorted(place.workdir.glob("checkpoints/*/[0-9]*"))):
        source = rng.choice(cycles)
        shutil.copytree(source, source.with_name(str(int(source.name) + rng.randint(1, 3))), dirs_exist_ok=True)
    return f"{how} a file: {path.relative_to(place.workdir)}"


def _wait(place: Place, process) -> None:
    """Until some moment of a run: of its start, or a little after some cycle."""
    begun, end = _cycles(place), time.monotonic() + PATIENCE_S
    wanted = place.rng.choice([-1, 0, 1, 2, 3, 5])
    while wanted >= 0 and process.is_alive() and time.monotonic() < end:
        if (place.workdir / "config.json").exists() and _cycles(place) - begun >= wanted:
            break
        time.sleep(0.005)
    process.join(place.rng.uniform(0, 2.0 if wanted < 0 else 0.4))


def _cycles(place: Place) -> int:
    path = place.workdir / "timings.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _worker(place: Place) -> int:
    """The id of a process that is at work on a lane, 0 if there is none."""
    locks = [path.read_text().split() for path in place.workdir.glob("lanes/*.lock")]
    alive = [int(words[1]) for words in locks if len(words) == 3 and words[1].isdecimal() and _is_there(int(words[1]))]
    return place.rng.choice(alive) if alive else 0


def _is_there(pid: int) -> bool:
    """Whether a process lives and is one of these runs."""
    try:
        return b"multiprocessing" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _signal(pid: int, how: signal.Signals) -> None:
    if _is_there(pid):
        os.kill(pid, how)
