"""What a person sees of a row, and what is refused before anybody sees anything."""

import csv

import numpy as np
import pytest

from experiments.label import show

ROWS = np.arange(12.0).reshape(4, 3)


def table(tmp_path, text, name="texts.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_a_table_is_shown_but_for_its_labels(tmp_path):
    path = table(tmp_path, 'text,Label,when\n"two\nlines",x,1\n<b>,y,2\n"a,b",z,3\nlast,x,\n')
    found = show.of(ROWS, path, None)
    assert found.content(0).cells == (("text", "two\nlines"), ("when", "1"))
    assert [found.content(row).cells[0][1] for row in range(1, 4)] == ["<b>", "a,b", "last"]
    assert found.notes == ("Not shown (labels): Label.",)


def test_separators_and_long_cells(tmp_path):
    limit = csv.field_size_limit()
    path = table(tmp_path, "text;more\na,b;1\n" + "x" * 300_000 + ";2\nc;3\nd;4\n")
    found = show.of(ROWS, path, None)
    assert found.content(0).cells == (("text", "a,b"), ("more", "1"))
    assert found.content(1).cells[0][1] == "x" * show.LONGEST + " … (300,000 letters)"
    assert show.of(ROWS, table(tmp_path, "a\tb\n" + "1\t2\n" * 4, "x.tsv"), None).content(3).cells == (
        ("a", "1"),
        ("b", "2"),
    )
    assert csv.field_size_limit() == limit  # of the process, which reads other tables too


@pytest.mark.parametrize(
    "text, name, said",
    [
        ("text\na\nb\n", "texts.csv", "has 2 rows, the pool has 4 rows"),
        ("label\na\nb\nc\nd\n", "texts.csv", "needs a column to show beside 'label'"),
        ("text\na\nb,c\nd\ne\n", "texts.csv", r"row 1 \(from 0\) has 2 cells, there are 1 columns"),
        ("a,a\n" + "1,2\n" * 4, "texts.csv", "two columns have the same name"),
        ("", "texts.csv", "not a readable table"),
        ("text\n", "texts.txt", "expected a file ending in"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, text, name, said):
    with pytest.raises(ValueError, match=said):
        show.of(ROWS, table(tmp_path, text, name), None)
    with pytest.raises(FileNotFoundError, match="no file"):
        show.of(ROWS, tmp_path / "other.csv", None)


def points(content):
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in content.lines]


def test_a_series_fills_its_box():
    (line,) = points(show.drawn(np.array([0.0, 5.0, 10.0, np.nan, 2.5])))
    assert line == [(0, 160), (150, 80), (300, 0), (600, 120)]
    assert points(show.drawn(np.ones(3))) == [[(0, 80), (300, 80), (600, 80)]]
    assert len(points(show.drawn(np.zeros((5, 3))))) == 3
    assert points(show.drawn(np.full(3, np.nan))) == [[]]


def test_a_long_series_keeps_its_peaks():
    series = np.zeros(100_000)
    series[[12_345, 77_777]] = 1.0, -1.0
    (line,) = points(show.drawn(series))
    assert len(line) <= show.MOST and min(y for _, y in line) == 0 and max(y for _, y in line) == 160
    (top,) = [x for x, y in line if y == 0]
    assert top == pytest.approx(600 * 12_345 / 99_999, abs=0.06)


def test_series_of_a_file_and_the_rows_themselves(tmp_path):
    np.save(tmp_path / "series.npy", np.arange(40).reshape(4, 5, 2))
    assert len(show.of(ROWS, tmp_path / "series.npy", None).content(1).lines) == 2
    assert show.of(ROWS, None, None).content(1).span == ("3", "5")
    np.save(tmp_path / "flat.npy", np.arange(4))
    with pytest.raises(ValueError, match=r"series must be numbers \[N, T\]"):
        show.of(ROWS, tmp_path / "flat.npy", None)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "photos"
    made.mkdir()
    for name in ("2.png", "10.png", "1.jpg", "b.webp", "notes.txt", ".hidden.png"):
        (made / name).write_bytes(b"not looked into")
    return made


def test_images_go_by_name_and_numbers_by_value(folder):
    found = show.of(ROWS, None, folder)
    assert [path.name for path in found.images] == ["1.jpg", "2.png", "10.png", "b.webp"]
    assert found.content(0).image and found.notes == ("Row 0 is 1.jpg, row 3 is b.webp.",)


def test_a_column_may_name_the_images(folder, tmp_path):
    path = table(tmp_path, "file,text\nb.webp,w\n10.png,x\n1.jpg,y\n1.jpg,z\n")
    found = show.of(ROWS, path, folder)
    assert [path.name for path in found.images] == ["b.webp", "10.png", "1.jpg", "1.jpg"]
    assert found.content(3).cells == (("text", "z"),) and found.content(3).image


@pytest.mark.parametrize("name", ["../secret.png", "missing.png", "notes.txt", "link.png", "/etc/passwd"])
def test_nothing_outside_the_folder_is_an_image(folder, tmp_path, name):
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    path = table(tmp_path, f"file\n1.jpg\n2.png\n10.png\n{name}\n")
    with pytest.raises(ValueError, match="row 3: .* is no image in"):
        show.of(ROWS, path, folder)
    with pytest.raises(ValueError, match="5 images, the pool has 4 rows"):
        show.of(ROWS, None, folder)
