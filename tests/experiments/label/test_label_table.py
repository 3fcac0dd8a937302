"""The file of labels and what a journal says before its session is begun."""

import csv

import numpy as np
import pytest
from labelling import NAMES, POOL

from alfamous_jax.session import Session
from experiments.label.table import Table, told


def test_what_is_written_is_read_again_whatever_the_names(tmp_path):
    labels = {7: "plain", 0: 'with "quotes", and a comma', 3: "=1+1", 12: "ünïcode <b>"}
    Table(tmp_path / "labels.csv").write(labels)
    assert list(Table(tmp_path / "labels.csv").read().items()) == list(labels.items())
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["row", "label"], *([str(row), name] for row, name in labels.items())]
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_no_file_and_an_empty_one_hold_nothing(tmp_path):
    assert Table(tmp_path / "labels.csv").read() == {}
    (tmp_path / "labels.csv").write_text("")
    assert Table(tmp_path / "labels.csv").read() == {}
    (tmp_path / "labels.csv").write_text("\ufeffLabel, Row\r\nant,3\r\n\r\n", encoding="utf-8")
    assert Table(tmp_path / "labels.csv").read() == {3: "ant"}


@pytest.mark.parametrize(
    "text, said",
    [
        ("text,label\nhello,ant\n", "must have the columns row and label and no others, got text, label"),
        ("row,label,who\n1,ant,me\n", "no others, got row, label, who"),
        ("row,label\n1,ant\n1,bee\n", "line 3: row 1 is there twice"),
        ("row,label\n1,\n", "line 2: expected the number of a row and its label, got '1,'"),
        ("row,label\n-1,ant\n", "line 2: expected the number"),
        ("row,label\n1.5,ant\n", "line 2: expected the number"),
        ("row,label\n1\n", "line 2: expected the number"),
        ("row,label\n1,ant,more\n", "line 2: expected the number"),
        ('row,label\n1,"ant', "not a readable table"),
        (b"row,label\n1,\xff\n", "not a readable table"),
    ],
)
def test_what_is_no_table_of_labels_is_refused_and_stays(tmp_path, text, said):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        Table(tmp_path / "labels.csv").read()
    assert "\n" not in str(caught.value) and (tmp_path / "labels.csv").read_bytes() == content


def test_a_file_that_another_program_has_changed_is_not_written_over(tmp_path):
    table = Table(tmp_path / "labels.csv")
    table.check()
    table.write({1: "ant"})
    table.check()
    (tmp_path / "labels.csv").write_text("row,label\n1,bee\n")
    with pytest.raises(ValueError, match="was changed by another program"):
        table.check()
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(ValueError, match="was changed by another program"):
        table.check()


@pytest.mark.parametrize("seed", range(20))
def test_a_journal_is_read_as_a_session_reads_it(tmp_path, seed):
    """Random answers of every kind: after each the labels are the session's, before the last change the old ones."""
    rng, path = np.random.default_rng(seed), tmp_path / "journal"
    session = Session(POOL, NAMES, labels={0: "ant", 1: "cow"}, retrain_every=3, journal=path)
    assert told(path)[1] == session.labels
    states = [session.labels]
    for _ in range(30):
        rows = rng.choice(np.arange(2, 40), 2, replace=False).tolist()
        labelled = [row for row in session.labels if row > 1]
        match rng.integers(6):
            case 0 | 1:
                free = [row for row in rows if row not in session.labels]
                session.tell(free, [str(rng.choice(NAMES)) for _ in free])
            case 2:
                session.skip([row for row in rows if row not in session.labels])
            case 3 if labelled:
                session.relabel(int(rng.choice(labelled)), str(rng.choice(session.classes)))
            case 4:
                session.add_class(f"new {len(session.classes)} {len(session.history)}")
            case 5 if len([x for x in session.history if x.what in ("label", "skip", "relabel", "class")]) > 3:
                session.undo(int(rng.integers(1, 3)))
        head, now, before = told(path)
        assert head["classes"] == list(NAMES) and list(now.items()) == list(session.labels.items())
        if session.labels != states[-1]:
            states.append(session.labels)
            assert before == states[-2]


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"journal": 1}\n', b"row,label\n", b'{"labels": 3}\n'])
def test_what_is_no_journal_says_nothing(tmp_path, content):
    assert told(tmp_path / "nothing") == ({}, {}, {})
    (tmp_path / "journal").write_bytes(content)
    assert told(tmp_path / "journal") == ({}, {}, {})
