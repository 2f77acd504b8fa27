"""How deliveries go: figures of a time against the time before, failures that are alike, lanes, and what is true now.

All of it is read from the rollups. Only single logs are looked up beside them, by an index.
"""
