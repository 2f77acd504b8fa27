"""The address that a request comes from. Trusts only as many proxies as the setting PROXIES says, never the sender."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: HttpRequest) -> str:
    """ "" if the server doesn't know it, for example behind a Unix socket and a proxy that doesn't forward it."""
    forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    # Each proxy appends the address that it saw; anything before the last PROXIES addresses may be forged.
    forwarded = _read(forwarded_for[-settings.PROXIES]) if 0 < settings.PROXIES <= len(forwarded_for) else None
    address = forwarded or _read(request.META.get("REMOTE_ADDR", ""))
    return str(address) if address else ""


def network_of(address: str) -> str:
    """The /64 network of an IPv6 address, because one sender easily has many addresses in it; an IPv4 address as it is."""
    parsed = _read(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _read(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
