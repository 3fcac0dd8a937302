"""Label Studio asks, the session says which row comes next: `python -m experiments.label.studio`."""
