"""Django's PostgreSQL backend on the embedded server; the first connection starts it. Used if DATABASE_URL is not set."""

import threading
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base

from .server import EmbeddedServerError, ensure_server

_one_thread = threading.Lock()  # several threads of a worker open its first connections at once


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        settings = self.settings_dict
        try:
            with _one_thread:
                host = ensure_server(Path(settings["DATA_DIRECTORY"]), settings["MAIN_DATABASE"])
        except EmbeddedServerError as error:
            raise ImproperlyConfigured(str(error)) from error
        return super().get_connection_params() | {"host": host, "user": "postgres"}
