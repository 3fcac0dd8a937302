"""Backbones and the SNGP head; flax is imported here and not by the package's top level."""
