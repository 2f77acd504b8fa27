"""The command that posts an event as a delivery does, byte for byte, with masked values masked. A pure function."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from .masking import MaskedKeys, mask_headers, mask_json, mask_url
from .request_url import RequestURL

ARGUMENT_LIMIT = 100_000  # bytes; a shell takes about 128 KB in one argument
# A page or a terminal changes such characters when text is copied and pasted.
_NOT_PASTED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def curl_command(
    url: str,
    headers: Iterable[tuple[str, str]],
    event: str | None,
    *,
    user_agent: str,
    file_name: str,
    keys: MaskedKeys,
) -> str:
    """Quoted for a shell; "" where there's no URL that a request can be sent to.

    An event that can't be an argument, or is None, is read from the file of that name.
    """
    try:
        parsed = RequestURL.parse(url)
    except ValueError:
        return ""
    body = None if event is None else mask_json(event, keys)
    if body is None or len(body.encode()) > ARGUMENT_LIMIT or _NOT_PASTED.search(body):
        body = f"@{file_name}"
    arguments = ["curl", "--request", "POST", mask_url(str(parsed), keys)]
    # curl takes [] and {} in a URL for patterns, resolves .., and prefers HTTP/2: a delivery does none of it.
    arguments += ["--globoff", "--path-as-is", "--http1.1", "--user-agent", user_agent]
    for name, value in mask_headers(headers, keys):
        if not (parsed.credentials and name.lower() == "authorization"):  # those of the URL replace it
            arguments += ["--header", f"{name}: {value}"]
    arguments += ["--header", "Expect:"]  # curl would ask before it sends a big event
    return shlex.join([*arguments, "--data-binary", body])
