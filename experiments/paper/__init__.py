"""AL-FaMoUS over all data sets on one page: python -m experiments.paper FOLDER."""
