"""The curl command that posts an event like a delivery does, byte for byte, with masked values masked. A pure function."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from .masking import MaskedKeys, mask_headers, mask_json, mask_url
from .request_url import RequestURL

ARGUMENT_LIMIT = 100_000  # bytes; a shell takes about 128 KB in one argument
# Pages and terminals change these characters when text is copied and pasted.
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
    """The command, quoted for a shell; "" if no request can be sent to the URL.

    If the event can't be an argument, or is None, curl reads it from `file_name`.
    """
    try:
        parsed = RequestURL.parse(url)
    except ValueError:
        return ""
    body = None if event is None else mask_json(event, keys)
    if body is None or len(body.encode()) > ARGUMENT_LIMIT or _NOT_PASTED.search(body):
        body = f"@{file_name}"
    arguments = ["curl", "--request", "POST", mask_url(str(parsed), keys)]
    # By default curl treats [] and {} in a URL as patterns, resolves .., and prefers HTTP/2. A delivery does none of that.
    arguments += ["--globoff", "--path-as-is", "--http1.1", "--user-agent", user_agent]
    for name, value in mask_headers(headers, keys):
        if not (parsed.credentials and name.lower() == "authorization"):  # the URL's credentials replace it
            arguments += ["--header", f"{name}: {value}"]
    arguments += ["--header", "Expect:"]  # otherwise curl waits for permission to send a large event
    return shlex.join([*arguments, "--data-binary", body])
