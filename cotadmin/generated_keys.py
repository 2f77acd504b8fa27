"""Keys that a trial installation generates and keeps under var/. Only their owner can read them."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


def new_secret_key() -> str:
    return secrets.token_urlsafe(50)


def new_encryption_key() -> str:
    return Fernet.generate_key().decode()


def load_or_create_key(path: Path, make: Callable[[], str], *, variable: str, may_make: bool) -> str:
    """The key in `path`; the first call creates it. Raises ImproperlyConfigured with `variable`'s name if it may not."""
    if path.exists():
        return path.read_text().strip()
    if not may_make:
        raise ImproperlyConfigured(f"{variable} is not set. With DATABASE_URL, cotadmin does not generate keys.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(make())
    with suppress(FileExistsError):
        os.link(draft, path)  # if several processes start at once, one wins, and all read its key
    draft.unlink()
    return path.read_text().strip()
