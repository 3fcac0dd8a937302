"""Labelling in the browser: `python -m experiments.label POOL`, a page on this machine over a session of labelling."""
