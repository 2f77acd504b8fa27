"""Downloads of a log's payload, with masked values masked: a file, and a curl command that posts it."""

from __future__ import annotations

import time

from django.http import HttpResponse

from ...delivery.http_exchange import FIXED_HEADERS
from ...models import WebhookLog
from ...payloads.curl import curl_command
from ...payloads.masking import MASK, mask_json, masked_keys


def download_of(log: WebhookLog, payload: str) -> HttpResponse:
    response = HttpResponse(mask_json(payload, masked_keys()), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(log)}"'
    return response


def curl_of(log: WebhookLog, url: str, payload: str | None) -> str:
    """Return a shell command; "" without a URL. Without the payload, it reads the downloaded file.

    The timestamp is the current time. The holder of the secret must compute the signature.
    """
    subscription = log.subscription
    headers = [(name, FIXED_HEADERS[name]) for name in ("Accept-Encoding", "Content-Type")]
    headers += [(name, MASK) for name in subscription.header_names or []]
    headers += [("webhook-id", log.pk), ("webhook-timestamp", str(int(time.time())))]
    if subscription.encrypted_secret:
        headers.append(("webhook-signature", MASK))
    return curl_command(
        url,
        headers,
        payload,
        user_agent=FIXED_HEADERS["User-Agent"],
        file_name=_file_name(log),
        keys=masked_keys(),
    )


def _file_name(log: WebhookLog) -> str:
    return f"{log.pk}.json"
