"""What the tests of the experiments share."""

from drawn import drawn  # noqa: F401  a fixture
