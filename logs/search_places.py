"""How many searches of one person run at once, in all processes together: each takes one of their two places.

A place is a lock of PostgreSQL's that ends with the transaction, so none is left behind however a process ends.
"""

from __future__ import annotations

from django.db import connection

PLACES = 2
_KIND = 0x636F7401  # tells these locks from others; the next PLACES numbers are theirs


def take_place(user_id: int) -> bool:
    """Take a place until the transaction ends; False where all are taken."""
    with connection.cursor() as cursor:
        for number in range(PLACES):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_KIND + number, user_id])
            if cursor.fetchone() == (True,):
                return True
    return False
