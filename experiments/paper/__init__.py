"""The papers over all runs, each on one page: python -m experiments.paper FOLDER [--paper NAME]."""
