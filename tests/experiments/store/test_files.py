"""Files that are written whole or not at all, and read to the last whole line."""

import errno
import os
import pathlib
import secrets
import stat

import pytest

from experiments.store import files


def test_a_file_is_replaced_at_once(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with files.replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_on_the_disk_before_its_name_changes(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), replace(*names)))
    files.write_text(tmp_path / "a.txt", "new")
    assert done == ["file", "rename", "folder"]


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*a.txt'"), files.replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
            files.append_json_line(pathlib.Path("/dev/full"), {})


def test_no_link_is_followed(tmp_path, monkeypatch):
    """Neither one in the place of the file, nor one under the name that the temporary file would have."""
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    for name in ("a.txt", "a.txt.tmp", "a.txt.00000000.tmp", "run.lock", "a.jsonl"):
        (tmp_path / name).symlink_to(thesis)
    files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new" and not (tmp_path / "a.txt").is_symlink()
    monkeypatch.setattr(secrets, "token_hex", lambda num: "0" * 2 * num)
    with pytest.raises(FileExistsError):
        files.write_text(tmp_path / "a.txt", "newer")
    with pytest.raises(ValueError, match="run.lock: is a link to another file; delete it"):
        files.open_here(tmp_path / "run.lock", "a+")
    with pytest.raises(ValueError, match="a.jsonl: is a link to another file; delete it"):
        files.append_json_line(tmp_path / "a.jsonl", {})
    assert thesis.read_text() == "years of work" and (tmp_path / "a.txt").read_text() == "new"


def test_left_temporary_files_are_dropped_and_others_are_not(tmp_path):
    mine = ["a.txt.0123abcd.tmp", "b.txt.0123abcd.tmp"]
    others = ["a.txt", "a.txt.tmp", "a.txt.copy.tmp", "c.txt.0123abcd.tmp"]
    for name in mine + others:
        (tmp_path / name).write_text("")
    files.drop_temporaries(tmp_path, ("a.txt", "b.txt"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


BAD_LINES = {
    "cut": (b'{"a": 1', "line 2: not JSON"),
    "no object": (b"[1]", "line 2: not a JSON object"),
    "no text": (b"\xff\xfe\x00", "line 2: not JSON"),
    "deep": (b"[" * 100_000, "line 2: not JSON"),
    "long number": (b'{"a": ' + b"9" * 5000 + b"}", "line 2: not JSON"),
}


@pytest.mark.parametrize("line, message", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(ValueError, match=f"a.jsonl, {message}"):
        files.read_json_lines(path)
    path.write_bytes(b'{"a": 1}\n' + line)
    assert files.read_json_lines(path, whole=True) == [{"a": 1}], "what has no end was not written to its end"


def test_litter():
    names = [".DS_Store", ".nfs000000000001", "._us-seed0", "Thumbs.db", "desktop.ini", "us-seed0", "metrics.jsonl"]
    assert [files.is_litter(name) for name in names] == [True] * 5 + [False] * 2
