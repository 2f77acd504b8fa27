"""Counts failed attempts to sign in, by account and by IP address."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, models

SIGN_IN_WINDOW = timedelta(minutes=15)


class SignInAttempts(models.Model):
    """Failed sign-in attempts of one account or IP address. `since`: when the first one that counts was made.

    `key`: a keyed hash, because people sometimes type their password as the name.
    """

    key = models.CharField(primary_key=True, max_length=64)
    attempts = models.IntegerField()
    since = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key[:8]}: {self.attempts}"

    @classmethod
    def count_attempt(cls, key: str) -> tuple[int, int]:
        """Count one more attempt, before its password is checked: so simultaneous attempts can't get past the limit.

        Returns the number of attempts, and the seconds until they no longer count.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO logs_signinattempts AS known (key, attempts, since) VALUES (%(key)s, 1, now())
                ON CONFLICT (key) DO UPDATE SET
                    attempts = CASE WHEN known.since < now() - %(window)s::interval THEN 1 ELSE known.attempts + 1 END,
                    since = CASE WHEN known.since < now() - %(window)s::interval THEN now() ELSE known.since END
                RETURNING attempts, ceil(extract(epoch FROM since + %(window)s::interval - now()))::integer
                """,
                {"key": key, "window": f"{SIGN_IN_WINDOW.total_seconds()} seconds"},
            )
            attempts, seconds = cursor.fetchone()
        return attempts, seconds

    @classmethod
    def reset(cls, account: str, address: str) -> None:
        """After a successful sign-in: reset the account's count, and take one attempt off the IP address."""
        cls.objects.filter(key=account).delete()
        cls.objects.filter(key=address, attempts__gt=0).update(attempts=models.F("attempts") - 1)

    @classmethod
    def purge(cls) -> None:
        cls.objects.filter(since__lt=models.functions.Now() - SIGN_IN_WINDOW).delete()
