"""Where the units of a run are done: processes, Ray or SLURM."""
