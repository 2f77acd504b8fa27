"""Keys that a trial installation makes for itself and keeps under var/, readable by its owner alone."""

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
    """The key in `path`, made at the first call. Raises ImproperlyConfigured naming `variable` where it may not be made."""
    if path.exists():
        return path.read_text().strip()
    if not may_make:
        raise ImproperlyConfigured(f"{variable} is not set. With DATABASE_URL, cotadmin does not generate keys.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(make())
    with suppress(FileExistsError):
        os.link(draft, path)  # of several first processes one wins, and all read the winner's
    draft.unlink()
    return path.read_text().strip()
