"""Signs what is sent as the Standard Webhooks specification says, and keeps secrets encrypted at rest.

Secrets that open something by themselves: 256 random bits, of which only a hash is kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from standardwebhooks.webhooks import Webhook

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification asks for 24 to 64


class SecretDecryptionError(Exception):
    """None of the keys in FIELD_ENCRYPTION_KEYS opens a stored secret."""


def signature_headers(log_id: str, payload: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of one attempt; every attempt of a log has the same id. Each secret adds a signature."""
    at = at.astimezone(UTC)  # the library takes the clock of any zone for UTC
    headers = {"webhook-id": log_id, "webhook-timestamp": str(int(at.timestamp()))}
    if secrets:
        data = payload.decode()
        signed = [_signer(secret).sign(msg_id=log_id, timestamp=at, data=data) for secret in secrets]
        headers["webhook-signature"] = " ".join(signed)
    return headers


@lru_cache(maxsize=10_000)
def _signer(secret: str) -> Webhook:
    return Webhook(secret)


def generate_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def validate_secret(text: str) -> None:
    """Raises ValueError where `text` is not whsec_ and 24 to 64 bytes in base64."""
    try:
        raw = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"does not begin with {SECRET_PREFIX}")
    if not 24 <= len(raw) <= 64:
        raise ValueError("not 24 to 64 bytes long")


def encrypt_secret(plain: str, keys: Sequence[str]) -> str:
    """With the first key; the others are former ones that still open what they closed."""
    return _fernet(keys).encrypt(plain.encode()).decode()


def decrypt_secret(token: str, keys: Sequence[str]) -> str:
    """The plain secret; raises SecretUnreadable."""
    try:
        return _fernet(keys).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretDecryptionError(
            "The signing secret cannot be read with the keys in FIELD_ENCRYPTION_KEYS."
        ) from error


def _fernet(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


_BYTES = 32  # 43 characters


def generate_token() -> str:
    return secrets.token_urlsafe(_BYTES)


def hash_token(secret: str) -> str:
    """256 random bits cannot be guessed, so the hash needs neither salt nor slowness.

    Looking for a hash takes as long for a near miss as for any other.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
