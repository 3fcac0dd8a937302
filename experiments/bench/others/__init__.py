"""Against other ways of doing the same: training seeds, PyTorch, bare products, HiGHS, tracing in every process."""
