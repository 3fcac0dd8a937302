"""How a run learns and picks, cycle by cycle."""
