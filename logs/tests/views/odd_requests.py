"""Requests that no page makes, generated from a seed: odd queries, forms, bodies and headers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

# As in a URL, encoded where necessary.
_VALUES = [
    *(
        "",
        "abc",
        "-1",
        "0",
        "1",
        "00",
        "1.5",
        "1e400",
        "nan",
        "true",
        "None",
        "99999",
        "9" * 25,
        "9" * 5000,
        "%D9%A3",
        "%C2%B2",
    ),
    *("%00", "a%00b", "%FF", "%ED%A0%80", "%F0%9F%92%A9", "%E2%80%AE", "%", "%zz", "%0D%0A", "%09", "+", "%20"),
    *(
        "99d",
        "24h",
        "-1h",
        "0m",
        "2024-13-45",
        "0001-01-01",
        "9999-12-31T23:59:59",
        "10000-01-01",
        "2024-01-01T00:00:00%2B99:99",
    ),
    *("0001-01-01T00:00:00%2B14:00", "1970-01-01T00:00Z", "2024-02-30", "now", "-1e9", "1700000000000000000000"),
    *(
        "[",
        "]",
        "{",
        "%7B%22a%22:1%7D",
        "[]",
        "null",
        "%22",
        "'",
        "%5C",
        "//",
        "/",
        "/a/b",
        "/%7E2",
        "~",
        "*",
        "(",
        "a:",
        ":a",
        "-",
        "%3C",
    ),
    *(
        "http://[",
        "http://[::1",
        "javascript:alert(1)",
        "//evil.example",
        "data.%22",
        "data.a:%3E=x",
        "%22open",
        "status:%3E=abc",
    ),
    *(
        "62742dd824c886d54e60f02b",
        "62742DD824C886D54E60F02B",
        "f" * 24,
        "0" * 24,
        "f" * 25,
        "zz" * 12,
        "x" * 3000,
        "(" * 500,
    ),
    *(
        "0.0",
        "1,2,3",
        "a,b",
        ",",
        ";",
        "a;b",
        "failed",
        "delivered",
        "newest",
        "on",
        "send",
        "edit",
        "preview",
        "keep",
        "own",
    ),
]
# Names that pages and Django know; those of a page's own form come to them.
NAMES = [
    *(
        "q",
        "range",
        "since",
        "until",
        "after",
        "before",
        "sort",
        "extend",
        "state",
        "cause",
        "status",
        "subscription",
        "company",
    ),
    *(
        "event_type",
        "action",
        "object",
        "fingerprint",
        "page",
        "p",
        "o",
        "e",
        "all",
        "_popup",
        "_to_field",
        "_changelist_filters",
    ),
    *(
        "created_at__year",
        "status__exact",
        "pk__in",
        "id__exact",
        "next",
        "term",
        "app_label",
        "model_name",
        "field_name",
    ),
    *(
        "pointer",
        "start",
        "end",
        "at",
        "find",
        "seen",
        "top",
        "caret",
        "confirmed",
        "expected_attempts",
        "list",
        "reason",
        "language",
    ),
    *(
        "query",
        "name",
        "kind",
        "unknown",
        "csrfmiddlewaretoken",
        "_selected_action",
        "select_across",
        "index",
        "_method",
    ),
]
_ADDRESSES = [
    *(
        "http://[",
        "http://[::1",
        "http://testserver/logs/?range=99d",
        "//",
        "",
        "x",
        "http://testserver:99999999/",
        "\xff\xfe",
    ),
    *(
        "http://testserver/\x00",
        "http://testserver/logs/%ff",
        "javascript:1",
        "http://a@[b",
        "http://testserver" + "/a" * 2000,
    ),
]
_HEADERS = {
    "Hx-Request": ["true", "false", ""],
    "Hx-Current-Url": _ADDRESSES,
    "Hx-Current-Url-Uri-Autoencoded": ["true"],
    "Hx-Target": ["log-status", "queue", "queues", "load-more", "\xff", "x" * 2000, ""],
    "Hx-Trigger": ["load-more", "\xff", ""],
    "Hx-History-Restore-Request": ["true", "x"],
    "Hx-Boosted": ["true"],
    "Referer": _ADDRESSES,
    "Origin": ["null", "http://[", "http://evil.example"],
    "Host": ["testserver", "[", "a b", "evil.example", "testserver:x", ""],
    "Accept-Language": ["es", "xx-" + "a" * 600, "*;q=a", "\xff", "zh-hans-" + "x-" * 200, ","],
    "Accept": ["*/*", "application/json", "\xff", "a/b;q=" + "9" * 400],
    "Accept-Encoding": ["gzip", "gzip;q=x", "\xff"],
    "Cookie": [
        "sessionid=\xff",
        "sessionid=" + "x" * 5000,
        "django_language=xx",
        "columns=\xff,,x",
        "=;;=",
        "zone=../../x",
        "a=b" * 900,
    ]
    + [
        f"{name}={value}"
        for name in ("zone", "timezone", "language", "theme", "rows", "columns", "live_tail", "messages", "csrftoken")
        for value in ("\x7f", "x" * 3000, '"\\377"', "[]")
    ],
    "If-Modified-Since": ["x", "Thu, 99 Foo 99999 99:99:99 GMT"],
    "If-None-Match": ["x", '"' * 9],
    "Range": ["bytes=5-1", "bytes=-", "x"],
    "X-Forwarded-Proto": ["https", "\xff"],
    "X-Forwarded-For": ["x", "1.2.3.4, [", "," * 500, "\xff"],
    "X-Forwarded-Host": ["["],
    "Authorization": ["Bearer x", "Bearer \xff", "Basic !", "Bearer", "\xff"],
    "Idempotency-Key": ["", "\xff", "x" * 3000],
    "Content-Encoding": ["gzip", "br", "\xff"],
    "X-Http-Method-Override": ["DELETE"],
}
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_BODIES: list[tuple[str, bytes]] = [
    (f"{FORM}; charset=utf-16", b"a=1&reason=x"),
    (f"{FORM}; charset=nonsense", b"a=1"),
    (f"{FORM}; charset=utf-7", b"a=+AG"),
    (f"{FORM}; charset=\xff", b"a=1"),
    (f"{FORM}; charset=idna", b"a=%ff"),
    (FORM, b"%00=%00&%=%&=&&&;"),
    (FORM, b"\xff\xfe\x00\xd8"),
    (FORM, b"&".join(b"a%d=1" % number for number in range(1001))),
    (FORM, b"a=1&" * 10_001),
    (FORM, b"a=" + b"x" * 5_000_000),
    (MULTIPART, b"--x\r\n\r\n"),
    (f"{MULTIPART}; boundary=", b"--\r\n"),
    (f"{MULTIPART}; boundary=\xff", b"x"),
    (f"{MULTIPART}; boundary={'b' * 300}", b"x"),
    (
        f"{MULTIPART}; boundary=x; charset=utf-16",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
    ),
    (f"{MULTIPART}; boundary=x", b"--x\r\nContent-Disposition: form-data"),
    (f"{MULTIPART}; boundary=x", b"--x\r\n" + b"a" * 2000),
    (
        f"{MULTIPART}; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="../\x00"\r\n\r\n\xff\r\n--x--\r\n',
    ),
    (
        f"{MULTIPART}; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n',
    ),
    (
        f"{MULTIPART}; boundary=x",
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\n\r\n' % number
            for number in range(150)
        ),
    ),
    ("application/json", b'{"a": '),
    ("application/json", b"[" * 20_000),
    ("application/json; charset=utf-16", b"[]"),
    ("application/x-ndjson", b"\xff\n\n{}"),
    ("text/plain", b"\x00"),
    ("", b""),
    ("\xff", b"x"),
    ("/", b"x"),
]


@dataclass(frozen=True)
class Odd:
    method: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = FORM
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} ?{self.query[:200]} {self.headers} {self.content_type} {self.body[:100]!r}"


def names_on(page: str) -> list[str]:
    """The names of fields and parameters that a page has."""
    return sorted(set(re.findall(r'\bname="([\w.-]+)"', page) + re.findall(r"[?;&]([\w.-]+)=", page)))


def odd_requests(seed: str, names: Sequence[str], number: int) -> Iterator[Odd]:
    """`names`: of the page's own parameters, which half of all requests have."""
    chance = random.Random(seed)  # the same requests on every machine
    for index in range(number):
        method = (
            "POST" if index % 2 else chance.choice(["GET", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
        )
        query = _pairs(chance, names) if not index % 2 or chance.random() < 0.3 else ""
        headers = {}
        if chance.random() < 0.6:
            chosen = chance.sample(sorted(_HEADERS), chance.choice([1, 1, 2]))
            headers = {
                name: chance.choice(_HEADERS[name]) for name in {*chosen, *(["Hx-Request"] if index % 4 < 2 else [])}
            }
        content_type, body = _body(chance, names) if method not in ("GET", "HEAD") else (FORM, b"")
        yield Odd(method, query, headers, content_type, body)


def _pairs(chance: random.Random, names: Sequence[str]) -> str:
    chosen = [
        chance.choice(names or NAMES) if chance.random() < 0.7 else chance.choice(NAMES)
        for _time in range(chance.choice([1, 1, 2, 3]))
    ]
    return "&".join(f"{quote(name)}={chance.choice(_VALUES)}" for name in chosen)


def _body(chance: random.Random, names: Sequence[str]) -> tuple[str, bytes]:
    if chance.random() < 0.4:
        return chance.choice(_BODIES)
    if chance.random() < 0.5:  # every field of the page, each odd
        return FORM, "&".join(f"{quote(name)}={chance.choice(_VALUES)}" for name in names).encode()
    return FORM, _pairs(chance, names).encode()
