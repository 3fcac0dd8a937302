"""Backbones, last layers and their training; flax and optax are imported by the modules that need them."""
