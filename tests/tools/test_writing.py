"""The tools, which import nothing of the project, write as it does: whole or not at all, and through no link."""

import numpy as np
import pytest

from tools import extract_features, image_folder


@pytest.mark.parametrize("tool", [extract_features, image_folder], ids=lambda tool: tool.__name__)
def test_a_target_is_replaced_at_once_and_no_link_is_followed(tool, tmp_path, monkeypatch):
    thesis, target = tmp_path / "thesis.tex", tmp_path / "photos.npz"
    thesis.write_text("years of work")
    target.symlink_to(thesis)
    for name in ("photos.npz.tmp", "photos.npz.00000000.tmp"):
        (tmp_path / name).symlink_to(thesis)
    tool._write(target, {"x": np.arange(3)})
    assert np.load(target)["x"].tolist() == [0, 1, 2] and not target.is_symlink()
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(tool.secrets, "token_hex", lambda num: "0" * 2 * num)
    with pytest.raises(FileExistsError):
        tool._write(target, {"x": np.arange(4)})
    monkeypatch.undo()
    monkeypatch.setattr(tool.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        tool._write(target, {"x": np.arange(4)})
    assert thesis.read_text() == "years of work" and np.load(target)["x"].tolist() == [0, 1, 2]
    assert sorted(tmp_path.iterdir()) == before


def full(*names):
    raise OSError("no space left")
