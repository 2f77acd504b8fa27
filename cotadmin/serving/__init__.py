"""Shares gunicorn's threads, so that a slow client or a slow page keeps nobody else waiting (docs/adr/0021)."""
