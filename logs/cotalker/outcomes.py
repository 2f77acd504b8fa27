"""Says what an outcome means: success, cause of a failure, fingerprint. All functions are pure.

Fingerprints leave out tokens that machines generate: request ids, trace ids, hashes, keys. With them, every failure would be a
failure group of its own. A token is recognised by its name ("requestId":"…") or by its letters. Such tokens switch between
capitals, small letters and digits all the time. Words do that less often, even BigOnesLikeThis.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache

_NAMES = "id|uuid|guid|trace|span|ref|reference|nonce|ticket|incident|hash|ray"
_CAMEL_NAMES = "I[dD]|[UG]?UID|[UG]uid|Trace|Span|Ref|Reference|Hash"
_NAMED = re.compile(
    rf"""(?P<name>(?:(?<![A-Za-z])(?i:{_NAMES})|(?<=[a-z])(?:{_CAMEL_NAMES}))(?![A-Za-z])["']?)"""
    r"""(?P<sign>\s?[:=#]\s?|\s)(?P<quote>["']?)(?P<token>[A-Za-z0-9+/_-][A-Za-z0-9+/_.=-]{3,})"""
)
_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{20,}=*")  # base64, in both alphabets, and ids with dashes
_PIECE = re.compile(r"[A-Za-z0-9]{6,}")
_CHUNK = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_NUMBERED = re.compile(r"([A-Za-z]+)[0-9]{3,}")
# Log4, AES, 10000ms, oauth2client; numbers have a rule of their own.
_WORD = re.compile(
    r"[A-Za-z]+[0-9]{0,2}|[0-9]+(?:ms|s|m|h|d|k|b|kb|mb|gb|px)?|[A-Za-z]{3,}[0-9][A-Za-z]{3,}", re.IGNORECASE
)
_HEX = re.compile(r"(?=[a-f]*[0-9])[0-9a-f]{8,}", re.IGNORECASE)


def strip_opaque_tokens(text: str) -> str:
    """The text with `{id}` for each opaque token, and `order{n}` for a word followed by three or more digits."""
    text = _NAMED.sub(_of_named, text)
    text = _LONG_TOKEN.sub(lambda token: "{id}" if _mean_chunk(token[0]) < 2.6 else token[0], text)
    return _PIECE.sub(lambda piece: _of_piece(piece[0]), text)


def _of_named(match: re.Match[str]) -> str:
    """Replace the token unless it is a number or a word. Without a colon the name may mean something else: it needs a digit."""
    token = match["token"]
    is_clear = not match["sign"].isspace() and (token.isupper() or _mean_chunk(token) < 3.2)
    if token.isdigit() or not (is_clear or any(map(str.isdigit, token))):
        return match[0]
    return f"{match['name']}{match['sign']}{match['quote']}{{id}}"


def _mean_chunk(token: str) -> float:
    """The average length of runs of the same sort of character: capitals, small letters, or digits."""
    chunks = _CHUNK.findall(token)
    return sum(map(len, chunks)) / max(len(chunks), 1)


def _of_piece(token: str) -> str:
    if (mean := _mean_chunk(token)) < 3.2 and (len(token) >= 16 or (len(token) >= 12 and mean < 2.6)):
        return "{id}"
    if _HEX.fullmatch(token) and not token.isdigit():
        return "{id}"
    if numbered := _NUMBERED.fullmatch(token):
        return f"{numbered[1]}{{n}}"
    if _WORD.fullmatch(token):
        return token
    return "{id}" if len(token) >= 8 or len(_CHUNK.findall(token)) >= 5 else token


class Cause(enum.StrEnum):
    """The normalised reason of a failure."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    RESET = "reset"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    REDIRECT = "redirect"
    BLOCKED = "blocked"
    OTHER = "other"


def is_success(status: int | None) -> bool:
    """Cotalker counts only 200 to 209 as delivered (not 210, not 226)."""
    return status is not None and 200 <= status <= 209


# The messages of Node's HTTP clients when there is no response. Cotalker logs them with a status that isn't the receiver's, so
# the text decides. It only counts at the start of the response and in the client's own spelling. A receiver's response may
# mention a timeout too ("Request Timeout" and {"error":"lock timeout"} are responses).
_TRANSPORT = tuple(
    (cause, re.compile(pattern))
    for cause, pattern in (
        (Cause.TIMEOUT, r"(?:(?:connect|read|write) )?(?:ETIMEDOUT|ESOCKETTIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b"),
        (Cause.TIMEOUT, r"[Tt]imeout of \d+ ?ms exceeded|network timeout at: |Timeout awaiting '\w+' for \d+ms"),
        (Cause.REFUSED, r"(?:connect )?ECONNREFUSED\b"),
        (Cause.DNS, r"(?:getaddrinfo|query[A-Z]\w*) E[A-Z]|(?:ENOTFOUND|EAI_AGAIN)\b"),
        (Cause.RESET, r"socket hang up|(?:(?:read|write) )?(?:ECONNRESET|EPIPE|ECONNABORTED)\b|aborted$"),
        (
            Cause.TLS,
            r"certificate has expired|self[- ]signed certificate|unable to (?:verify the first|get (?:local )?issuer) "
            r"|Hostname/IP does not match certificate|Client network socket disconnected before secure TLS"
            r"|(?:CERT|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER)_\w+"
            r"|(?:write )?EPROTO\b",
        ),
    )
)
TRANSPORT_CAUSES = frozenset(cause for cause, _pattern in _TRANSPORT)
_CLIENT_PREFIX = re.compile(r"\A(?:\w{0,30}Error: )?(?:request to \S{1,2000} failed, reason: )?")
_TRANSPORT_LIMIT = 2500


def classify_outcome(status: int | None, response: str) -> Cause | str:
    """Why a log failed, as far as Cotalker's document shows it; "" for a success."""
    return _cause_of(status, response[:_TRANSPORT_LIMIT])


@lru_cache(maxsize=4096)
def _cause_of(status: int | None, response: str) -> Cause | str:
    if is_success(status):
        return ""
    text = _CLIENT_PREFIX.sub("", response.strip())
    for cause, pattern in _TRANSPORT:
        if pattern.match(text):
            return cause
    return classify_status(status)


def is_stand_in_status(status: int | None, cause: str) -> bool:
    """Whether there was no response, and the status is what Cotalker logged in its place (409). It never comes from a worker."""
    return status is not None and cause in TRANSPORT_CAUSES


def classify_status(status: int | None) -> Cause:
    """The cause of a failure, by the status of the response alone."""
    if status is None:
        return Cause.OTHER
    return {3: Cause.REDIRECT, 4: Cause.HTTP_4XX, 5: Cause.HTTP_5XX}.get(status // 100, Cause.OTHER)


_FINGERPRINT_LIMIT = 500
_FINGERPRINT_LENGTH = 120
_BEFORE_IDS = tuple(
    (re.compile(pattern), placeholder)
    for pattern, placeholder in (
        (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "{id}"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", "{time}"),
        (r"\b\d\d:\d\d:\d\d(?:\.\d{1,9})?\b", "{time}"),
        (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", "{ip}"),
        (r"\[[0-9a-fA-F:]{2,45}\]", "{ip}"),
        # Node writes IPv6 addresses without brackets: "connect ECONNREFUSED ::1:443".
        (r"(?<=[A-Z] )[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{0,40}(?=:\d{1,5}\b)", "{ip}"),
        (r"(?<=ENOTFOUND )\S{1,253}|(?<=EAI_AGAIN )\S{1,253}|(?<=://)[^/\s\"'<>]{1,253}", "{host}"),
        (r"\b(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH) [^\s{:]{1,253}(?=:\d)", r"\1 {host}"),
        (r"\b[0-9a-fA-F]{16,64}\b", "{id}"),
    )
)
# Ports stay, and so does the status in axios's message: "Request failed with status code 404".
_NUMBER = re.compile(r"(?<!\}:)(?<!status code )\b\d{3,}\b")
_STATUS_TEXT = re.compile(r"^\d{3}(?= [A-Z])")


def fingerprint(response: str, status: int | None, cause: str) -> str:
    """The response without the parts that differ between like failures, so that these group; at most 120 characters."""
    return _fingerprint(response[:_FINGERPRINT_LIMIT], status, cause)


@lru_cache(maxsize=4096)
def _fingerprint(response: str, status: int | None, cause: str) -> str:
    text = " ".join(re.sub(r"<[^<>]{0,200}>", " ", response).split())
    kept = _STATUS_TEXT.match(text)  # "502 Bad Gateway" keeps its number
    start = kept.end() if kept else 0
    rest = text[start:]
    for pattern, placeholder in _BEFORE_IDS:
        rest = pattern.sub(placeholder, rest)
    rest = _NUMBER.sub("{n}", strip_opaque_tokens(rest))
    return (text[:start] + rest)[:_FINGERPRINT_LENGTH] or (str(status) if status is not None else cause)
