"""The driver of the experiments, their report and the benchmark."""
