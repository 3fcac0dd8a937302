"""What is asked for: the names of strategies and the checks of a config. Imports no JAX."""
