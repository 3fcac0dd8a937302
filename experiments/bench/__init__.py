"""Times against the limits of a device and against other ways: python -m experiments.bench."""
