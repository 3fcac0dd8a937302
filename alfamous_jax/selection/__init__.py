"""Which rows to label next: class-balanced, diverse and minority-class batches, all with one answer."""
