"""Signs requests by the Standard Webhooks specification, and encrypts stored secrets.

Also generates tokens: secrets of 256 random bits that grant access by themselves, and of which only a hash is stored.
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
SECRET_BYTES = 32  # the specification requires 24 to 64


class SecretDecryptionError(Exception):
    """None of the keys in FIELD_ENCRYPTION_KEYS decrypts a stored secret."""


def signature_headers(log_id: str, payload: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The signature headers of one attempt; every attempt of a log has the same id. Each secret adds a signature."""
    at = at.astimezone(UTC)  # the library reads the time of any zone as UTC
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
    """Raises ValueError unless `text` is whsec_ followed by 24 to 64 bytes in base64."""
    try:
        raw = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"does not begin with {SECRET_PREFIX}")
    if not 24 <= len(raw) <= 64:
        raise ValueError("not 24 to 64 bytes long")


def encrypt_secret(plain: str, keys: Sequence[str]) -> str:
    """Encrypt with the first key. The others are former keys, which still decrypt what they encrypted."""
    return _fernet(keys).encrypt(plain.encode()).decode()


def decrypt_secret(token: str, keys: Sequence[str]) -> str:
    """The plain secret; raises SecretDecryptionError."""
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
    """Nobody can guess 256 random bits, so the hash needs no salt and doesn't have to be slow.

    A lookup by hash takes as long for a near miss as for any other value.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
