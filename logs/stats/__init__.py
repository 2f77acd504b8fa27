"""How deliveries go: figures compared with the period before, failure groups, queues, and the present state of receivers.

All of it is read from log counts. Only single logs are looked up besides, by an index.
"""
