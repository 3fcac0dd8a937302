"""A full disk names the file that did not fit."""

import pathlib

import pytest

from experiments.store import files
from experiments.store.naming import named

FULL = pathlib.Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_disk_names_the_file():
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        files.append_json_line(FULL, {"a": 1})
    with pytest.raises(OSError, match="No space left on device: 'metrics.jsonl'"), named(pathlib.Path("metrics.jsonl")):
        FULL.write_text("x")


def test_other_errors_stay_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.txt"), named(tmp_path / "mine.txt"):
        (tmp_path / "none.txt").read_text()
    with pytest.raises(OSError, match="^of the library's own$"), named(tmp_path / "mine.txt"):
        raise OSError("of the library's own")
