"""A last layer of few random features and a short buffer of labels: what sessions fit takes milliseconds."""

import pytest

from alfamous_jax import last_layer


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Of every file that imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_layer, "NUM_FEATURES", 16)
        patch.setattr(last_layer, "SMALLEST", 16)
        yield
