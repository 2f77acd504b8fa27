"""Secrets that open something by themselves: 256 random bits, of which only a hash is kept."""

import hashlib
import secrets

_BYTES = 32  # 43 characters


def generate_token() -> str:
    return secrets.token_urlsafe(_BYTES)


def hash_token(secret: str) -> str:
    """256 random bits cannot be guessed, so the hash needs neither salt nor slowness.

    Looking for a hash takes as long for a near miss as for any other.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
