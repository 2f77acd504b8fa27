"""The reference of benchmarks.explorer: the same table in Django's admin as it comes, with the same columns and filters."""
