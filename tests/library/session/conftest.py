"""What the tests of sessions share: a head that is fitted in milliseconds, and a session of 14 answers."""

import pytest
from narrow_heads import narrow  # noqa: F401  a fixture
from sessions import answer, begin, seen


@pytest.fixture(scope="module")
def course():
    """What was seen before each of 14 answers, and the session after them."""
    session, views = begin(), []
    for _ in range(14):
        views.append(seen(session))
        answer(session, 1)
    return session, views
