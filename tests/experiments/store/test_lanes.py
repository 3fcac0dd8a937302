"""Files that workers append to: damaged lines are refused, whoever waits says for whom."""

import errno
import os
import threading

import pytest

from experiments.store import lanes
from experiments.store.lanes import Line

LINE = Line([{"strategy": "us", "seed": 0, "cycle": 0, "accuracy": 0.75}], {"train_s": 0.5})


def test_every_flipped_bit_of_a_line_is_found(tmp_path):
    path = tmp_path / "us-seed0.jsonl"
    lanes.append(path, LINE)
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        for bit in (1, 64):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            try:
                assert lanes.new_lines([path], {}) == [(path, LINE)], place  # a blank may have become another one
            except ValueError as error:
                assert "us-seed0.jsonl, line 1" in str(error) and "delete the file, its unit goes on" in str(error)


def test_a_line_without_its_checksum_is_refused(tmp_path):
    path = tmp_path / "us-seed0.jsonl"
    lanes.append(path, LINE)
    offsets = {}
    assert lanes.new_lines([path], offsets) == [(path, LINE)]
    with path.open("a") as file:
        file.write('{"records": [], "timing": null}\n')
    with pytest.raises(ValueError, match=r"us-seed0.jsonl, line 1 after byte \d+: damaged \('crc'\); delete the file"):
        lanes.new_lines([path], offsets)


def test_who_waits_says_for_whom(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lanes, "PATIENCE_S", 0.05)
    (tmp_path / "lanes").mkdir()
    path, entered = tmp_path / "lanes" / "us-seed0.jsonl", threading.Event()

    def second():
        with lanes.held(path):
            entered.set()

    with lanes.held(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.5)
        assert not entered.is_set()
        (who,) = lanes.busy(tmp_path)
        assert who.startswith(f"us-seed0 (process {os.getpid()} on ") and " since 20" in who
    thread.join(10)
    assert entered.is_set() and lanes.busy(tmp_path) == []
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"waiting for us-seed0: process {os.getpid()} on ")
    assert said[0].endswith("has it; end that process to go on")


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lanes.fcntl, "flock", refuse)
    with pytest.raises(OSError, match=r"No locks available; it must be on a file system with locks: '.*us-seed0.lock'"):
        with lanes.held(tmp_path / "us-seed0.jsonl"):
            pass


def test_a_lock_that_says_nothing_is_not_misread(tmp_path):
    path = tmp_path / "a.lock"
    for text in ("", "host 12", "a b c d"):
        path.write_text(text)
        with path.open("a+") as lock:
            assert lanes.holder(lock) == "a process that left no name"
