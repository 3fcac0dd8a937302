"""The report of a run: python -m experiments.report WORKDIR."""
