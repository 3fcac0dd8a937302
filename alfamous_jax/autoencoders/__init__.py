"""Strategies that train a network of their own on the pool: VAAL and VaB-AL."""
