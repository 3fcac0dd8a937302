"""The page as HTTP, without a browser: who is let in, what is written into it, what an answer gives back."""

import html.parser
import re

import pytest
from labelling import HOSTILE, NAMES, ROWS, TOKEN, client, desk, in_file, name
from narrow_heads import narrow  # noqa: F401  a fixture

BASE = f"/{TOKEN}/"


@pytest.fixture
def at(tmp_path):
    return desk(tmp_path, "--audit", "0")


@pytest.fixture
def web(at):
    return client(at)


class Elements(html.parser.HTMLParser):
    """All elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def look(web, path=""):
    reply = web.get(BASE + path)
    assert reply.status_code == 200
    return Elements(reply.get_data(as_text=True))


def asked(page):
    return int(next(attrs["data-row"] for tag, attrs in page.found if "data-row" in attrs))


@pytest.mark.parametrize(
    "path", ["/", "/wrong/", f"/{TOKEN}x/", f"/{TOKEN[:-1]}/", "/wrong/page.js", "/wrong/part", "/static/page.js"]
)
def test_who_does_not_know_the_token_sees_nothing(web, path):
    reply = web.get(path)
    assert reply.status_code == 404 and b"row" not in reply.data and TOKEN.encode() not in reply.data
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["wrong/answer", "wrong/undo"])
def test_nor_changes_anything(web, path, tmp_path):
    assert web.post(f"/{path}", data={"row": 0, "name": "ant"}).status_code == 404
    assert not (tmp_path / "labels.csv").exists()


def test_every_answer_has_the_headers(web):
    for path in ("", "part", "page.js", "page.css", "page.svg", "nothing"):
        headers = web.get(BASE + path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" == policy["style-src"]
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store" and "Set-Cookie" not in headers
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0"])
def test_other_names_of_this_machine_are_refused(web, host):
    assert web.get(BASE, headers={"Host": host}).status_code == 400
    assert web.get(BASE, headers={"Host": "127.0.0.1:8123"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_cannot_answer(web, headers, tmp_path):
    for what in ("answer", "class", "skip", "undo"):
        assert web.post(BASE + what, data={"row": 0, "name": "ant"}, headers=headers).status_code == 403
    assert not (tmp_path / "labels.csv").exists()


def test_nothing_of_the_data_becomes_markup(web, at):
    page = look(web)
    scripts = [attrs for tag, attrs in page.found if tag == "script"]
    assert scripts == [{"src": "page.js", "defer": None}] and not [
        tag for tag, _ in page.found if tag in ("img", "b", "wasp")
    ]
    assert not [name for _, attrs in page.found for name in attrs if name.startswith("on") or name == "style"]
    assert any(word.startswith(HOSTILE) for word in page.words) and NAMES[1] in page.words
    web.post(BASE + "class", data={"row": asked(page), "name": '"><script>alert(1)</script>'})
    page = look(web)
    assert [attrs for tag, attrs in page.found if tag == "script"] == scripts
    assert '"><script>alert(1)</script>' in page.words


def test_nothing_is_fetched_from_elsewhere(web):
    for path in ("", "page.js", "page.css"):
        text = web.get(BASE + path).get_data(as_text=True)
        assert re.findall(r"(?:https?:)?//\w[\w.]+|@import|url\(", text) == [], path


def test_the_labels_of_the_table_are_not_shown(web):
    page = look(web)
    assert [word for word in page.words if word.startswith(HOSTILE)] and "label" not in page.words


def test_an_answer_gives_the_next_question(web, tmp_path):
    row = asked(look(web))
    reply = web.post(BASE + "answer", data={"row": row, "name": name(row)})
    page = Elements(reply.get_data(as_text=True))
    assert reply.status_code == 200 and asked(page) != row == next(iter(in_file(tmp_path)))
    assert ("data-said", f"Row {row}: {name(row)}.") in page.found[0][1].items()
    assert not [tag for tag, _ in page.found if tag in ("html", "script")]  # a part of the page, no other page


@pytest.mark.parametrize(
    "what, data, said",
    [
        ("answer", {"row": 0, "name": "wolf"}, "none of the classes"),
        ("answer", {"row": ROWS, "name": "ant"}, f"whole numbers from 0 to {ROWS - 1}"),
        ("answer", {"row": "x", "name": "ant"}, "whole numbers"),
        ("answer", {"name": "ant"}, "whole numbers"),
        ("answer", {"row": 0}, "a label must be the name of a class"),
        ("class", {"row": 0, "name": ""}, "needs a name"),
        ("class", {"row": 0, "name": "ant"}, "is a class already"),
        ("skip", {"row": -1}, "whole numbers"),
        ("undo", {}, "nothing to take back"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(web, at, tmp_path, what, data, said):
    before, journal = at.view().row, (tmp_path / "labels.csv.journal").read_bytes()
    reply = web.post(BASE + what, data=data)
    attrs = Elements(reply.get_data(as_text=True)).found[0][1]
    assert reply.status_code == 409 and said in attrs["data-said"] and "data-wrong" in attrs
    assert at.view().row == before and (tmp_path / "labels.csv.journal").read_bytes() == journal
    assert not (tmp_path / "labels.csv").exists()


def test_a_full_disk_is_said(web, at, monkeypatch):
    def full(labels):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(at._table, "write", full)
    reply = web.post(BASE + "answer", data={"row": at.view().row, "name": "ant"})
    assert reply.status_code == 507 and "No space left on device" in reply.get_data(as_text=True)


def test_too_much_at_once_is_refused(web):
    assert web.post(BASE + "class", data={"row": 0, "name": "x" * 100_000}).status_code == 413


def test_another_tab_hears_of_a_change_once(web):
    version = look(web).found
    version = next(attrs["data-version"] for _, attrs in version if "data-version" in attrs)
    assert web.get(f"{BASE}part?version={version}").status_code == 204
    row = asked(look(web))
    web.post(BASE + "answer", data={"row": row, "name": name(row)})
    page = look(web, f"part?version={version}")
    assert asked(page) != row


def test_only_the_images_of_rows_are_served(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(ROWS):
        (folder / f"{row}.png").write_bytes(b"\x89PNG %d" % row)
    web = client(desk(tmp_path, "--audit", "0", "--images", str(folder)))
    reply = web.get(f"{BASE}image/12")
    assert (reply.data, reply.mimetype, reply.headers["X-Content-Type-Options"]) == (
        b"\x89PNG 12",
        "image/png",
        "nosniff",
    )
    for path in ("image/60", "image/-1", "image/..%2flabels.csv", "image/x", "image/", "../pool.npz", "page.py"):
        assert web.get(BASE + path).status_code in (308, 404), path


def test_a_first_fit_that_is_under_way_is_said(at, web):
    said = "The model is being fitted for the first time"
    for row in (0, 1):
        assert said not in " ".join(look(web).words)
        at.answer(row, NAMES[row])
    assert said in " ".join(look(web).words)
    at.catch_up()
    assert said not in " ".join(look(web).words)


def test_a_fair_share_is_told_once_there_are_labels(at, web):
    assert "A fair share" not in " ".join(look(web).words) and "fair" not in [
        x.get("class") for _, x in look(web).found
    ]
    at.answer(0, NAMES[0])
    assert "A fair share is 0.3" in " ".join(look(web).words)
