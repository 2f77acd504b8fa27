"""The command that posts an event as a delivery does, with masked values masked. A pure function."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from .masking import MaskedKeys, mask_headers, mask_json, mask_url

ARGUMENT_LIMIT = 100_000  # bytes; a shell takes about 128 KB in one argument


def curl_command(
    url: str, headers: Iterable[tuple[str, str]], event: str | None, *, file_name: str, keys: MaskedKeys
) -> str:
    """Quoted for a shell. An event that is too long for one, or None, is read from the file of that name."""
    body = None if event is None else mask_json(event, keys)
    if body is None or len(body.encode()) > ARGUMENT_LIMIT:
        body = f"@{file_name}"
    arguments = ["curl", "--request", "POST", mask_url(url, keys)]
    for name, value in mask_headers(headers, keys):
        arguments += ["--header", f"{name}: {value}"]
    return shlex.join([*arguments, "--data-binary", body])
