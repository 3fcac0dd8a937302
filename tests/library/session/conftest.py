"""What the tests of sessions share: a head that is fitted in milliseconds, and a session of 14 answers."""

import pytest
from sessions import answer, begin, seen

from alfamous_jax import last_layer


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Few random features and a short buffer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_layer, "NUM_FEATURES", 16)
        patch.setattr(last_layer, "SMALLEST", 16)
        yield


@pytest.fixture(scope="module")
def course(narrow):
    """What was seen before each of 14 answers, and the session after them."""
    session, views = begin(), []
    for _ in range(14):
        views.append(seen(session))
        answer(session, 1)
    return session, views
