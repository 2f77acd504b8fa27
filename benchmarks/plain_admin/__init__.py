"""The reference of benchmarks.explorer: the same table in Django's unmodified admin, with the same columns and filters."""
