"""The payload of a log to take along, with masked values masked: a file, and a command that posts it."""

from __future__ import annotations

from django.http import HttpResponse

from ..delivery.exchange import FIXED_HEADERS
from ..masked_keys import masked_keys
from ..models import WebhookLog
from ..payloads.curl import curl_command
from ..payloads.masking import MASK, mask_json


def download_of(log: WebhookLog, payload: str) -> HttpResponse:
    response = HttpResponse(mask_json(payload, masked_keys()), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(log)}"'
    return response


def curl_of(log: WebhookLog, url: str, payload: str | None) -> str:
    """A command for a shell; without the payload it reads the file of the download."""
    headers = [
        ("content-type", "application/json"),
        ("user-agent", FIXED_HEADERS["User-Agent"]),
        ("webhook-id", log.pk),
    ]
    headers += [(name, MASK) for name in log.subscription.header_names or []]
    return curl_command(url, headers, payload, file_name=_file_name(log), keys=masked_keys())


def _file_name(log: WebhookLog) -> str:
    return f"{log.pk}.json"
