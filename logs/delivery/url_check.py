"""Checks a URL for the people who configure it.

It says whether a delivery would be allowed, refused or without such a host name, and where it would go.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.translation import gettext as _

from .ssrf import DestinationBlocked, DestinationFilter, host_and_port

LOOKUP_TIMEOUT_SECONDS = 3.0
# Per process. A name server can hold each of them for half a minute, even if the caller no longer waits.
MAX_CONCURRENT_CHECKS = 16

_places = threading.BoundedSemaphore(MAX_CONCURRENT_CHECKS)


class CheckResult(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    NO_SUCH_NAME = "no_such_name"
    TOO_SLOW = "too_slow"


@dataclass(frozen=True)
class UrlCheck:
    """`addresses`: what the name resolves to now. `reason`: why it is refused, for a person; it may name one of them."""

    answer: CheckResult
    addresses: tuple[str, ...] = ()
    reason: str = ""

    def redacted(self) -> UrlCheck:
        """Return it without private addresses, for people who must not learn the layout of the internal network."""
        public = tuple(address for address in self.addresses if _is_public(address))
        hides_one = self.answer == CheckResult.REFUSED and public != self.addresses
        reason = _("The host name resolves to an address that is not public.") if hides_one else self.reason
        return replace(self, addresses=public, reason=reason)


def check_destination(url: str) -> UrlCheck:
    """Return the result of the destination check, including a name lookup. Takes a few seconds at most."""
    guard = DestinationFilter.from_settings()
    addresses: tuple[str, ...] = ()
    try:
        guard.check_url(url)
        host, port = host_and_port(url)
        addresses = resolve_host(host, port)
        for address in addresses:
            guard.check_address(address, port)
    except DestinationBlocked as blocked:
        return UrlCheck(CheckResult.REFUSED, addresses, str(blocked.message))
    except TimeoutError:
        return UrlCheck(CheckResult.TOO_SLOW)
    except OSError:
        return UrlCheck(CheckResult.NO_SUCH_NAME)
    except ValueError:
        return UrlCheck(CheckResult.REFUSED, reason=_("This host name is not valid in DNS."))
    return UrlCheck(CheckResult.ALLOWED, addresses)


def resolve_host(host: str, port: int) -> tuple[str, ...]:
    """Return every address of a name. Raises OSError if there is none, ValueError if there can't be one, and TimeoutError.

    A lookup can't be cancelled, only abandoned. So it runs in a thread that doesn't keep the process from ending.
    """
    if not _places.acquire(timeout=LOOKUP_TIMEOUT_SECONDS):
        raise TimeoutError
    future: Future[tuple[str, ...]] = Future()
    threading.Thread(target=_look_up, args=(host, port, future), name="verdict", daemon=True).start()
    return future.result(LOOKUP_TIMEOUT_SECONDS)


def _look_up(host: str, port: int, future: Future[tuple[str, ...]]) -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        future.set_result(tuple(dict.fromkeys(str(sockaddr[0]) for *_rest, sockaddr in answers)))
    except Exception as error:
        future.set_exception(error)
    finally:
        _places.release()


def _is_public(address: str) -> bool:
    try:
        DestinationFilter().check_address(address, port=443)
    except DestinationBlocked:
        return False
    return True
