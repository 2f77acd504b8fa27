"""From where a request comes. Only the proxies that the setting PROXIES counts are believed, never the sender."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: HttpRequest) -> str:
    """ "" where the server does not know it, as behind a Unix socket without a proxy that tells."""
    told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    # Each proxy appends the address that it saw; what stands before the last PROXIES entries may be made up.
    forwarded = _read(told[-settings.PROXIES]) if 0 < settings.PROXIES <= len(told) else None
    found = forwarded or _read(request.META.get("REMOTE_ADDR", ""))
    return str(found) if found else ""


def network_of(address: str) -> str:
    """What one sender can easily have many addresses of: an IPv6 network of 64 bits; an IPv4 address is one's own."""
    found = _read(address)
    return str(ipaddress.ip_network((found, 64), strict=False)) if isinstance(found, ipaddress.IPv6Address) else address


def _read(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
