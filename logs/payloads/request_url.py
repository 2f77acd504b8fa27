"""The parts of a configured URL as a request sends them: the configured bytes. Only what HTTP can't carry is encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from yarl import URL

_PARTS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/?#]*)(?P<path_and_query>[^#]*)")
# Every printable ASCII character stays as it is. That includes `%`, so that nothing is encoded twice.
_VISIBLE = bytes(range(0x21, 0x7F)).decode()


@dataclass(frozen=True, slots=True)
class RequestURL:
    """`origin`: where to connect, its host in ASCII (IDNA). The rest is as written; "" for none."""

    origin: URL
    path_and_query: str
    userinfo: str

    @classmethod
    def parse(cls, text: str) -> RequestURL:
        """Raises ValueError for text that isn't an absolute URL with a host."""
        parts = _PARTS.match(text.strip())
        if parts is None:
            raise ValueError("not an absolute URL")
        userinfo = parts["authority"].rpartition("@")[0]
        return cls(URL(text).origin(), _visible(parts["path_and_query"]), _visible(userinfo))

    @property
    def target(self) -> str:
        """The request target: what the first line of the request has after the method."""
        return self.path_and_query if self.path_and_query.startswith("/") else f"/{self.path_and_query}"

    @property
    def host(self) -> str:
        """The value of the Host header: without the scheme's default port."""
        return self.origin.host_port_subcomponent or ""

    @property
    def credentials(self) -> bytes | None:
        """`user:password` with its percent-encoding undone, None without any. Non-ASCII characters are UTF-8."""
        user, _colon, password = self.userinfo.partition(":")
        if not user and not password:
            return None
        return unquote_to_bytes(user) + b":" + unquote_to_bytes(password)

    def __str__(self) -> str:
        """The whole URL in ASCII; a request for it is the same, byte for byte."""
        userinfo = f"{self.userinfo}@" if self.userinfo else ""
        return f"{self.origin.scheme}://{userinfo}{self.host}{self.path_and_query}"


def _visible(text: str) -> str:
    return quote_from_bytes(text.encode(), safe=_VISIBLE)
