"""The numbers that the papers print, each with its table."""
