"""Strategies compared over many pools of given features, under one protocol: python -m experiments.benchmark."""

PAGE = "README.md"
CURVES = "curves.png"
RANKS = "ranks.png"
FULL = "full.json"
