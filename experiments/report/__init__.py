"""The report of a run: python -m experiments.report WORKDIR. Here stand the names of the files that it writes."""

REPORT = "report.md"
CURVES = "curves.png"
CLASSES = "classes.png"
LAMBDA = "lambda.png"
MINIBATCHES = "minibatches.png"
HISTORY = "history.png"
RARE = "rare.png"
PROGRESS = "progress.png"
FILES: tuple[str, ...] = (REPORT, CURVES, CLASSES, LAMBDA, MINIBATCHES, HISTORY, RARE, PROGRESS)
