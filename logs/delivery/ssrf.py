"""Decides where deliveries may go: no private network, nothing on this machine, and never a cloud's metadata service.

Addresses are checked where sockets are made. So it doesn't matter how a URL spells its host. Nor does it matter how many
addresses a name has, or what it resolves to the next time. Ranges are those of Python's `ipaddress`, which follows IANA's
registries.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Never allowed, whatever the settings say: these services hand out the machine's credentials.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, DigitalOcean and others
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # Google Cloud
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle Cloud
    )
)
# These are in IANA's registries, but unknown to the oldest Python that we support.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "fec0::/10")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


class DestinationBlocked(Exception):
    """The destination check refuses a target. `str()` is stored, in English; `message` is for people, in their language."""

    def __init__(self, record: str, message: str | Promise) -> None:
        super().__init__(record)
        self.message = message


@dataclass(frozen=True)
class AllowedNetwork:
    """A private network to which deliveries may go; to every port if `port` is None."""

    network: Network
    port: int | None

    def holds(self, address: Address, port: int) -> bool:
        return address.version == self.network.version and address in self.network and self.port in (None, port)


class DestinationFilter:
    def __init__(self, allowed: Iterable[AllowedNetwork] = ()) -> None:
        self.allowed = tuple(allowed)

    @classmethod
    def from_settings(cls) -> DestinationFilter:
        return cls(parse_allowed_networks(settings.DELIVERY_ALLOWED_NETWORKS))

    def check_address(self, text: str, port: int) -> None:
        """Raises DestinationBlocked if nothing may be sent to this IP address and port."""
        address = ipaddress.ip_address(text.partition("%")[0])
        forms = [address, *_embedded(address)]
        if any(form in METADATA for form in (*forms, *_translated(address))):
            raise DestinationBlocked(
                f"{text} is a cloud metadata address",
                _("%(address)s is a cloud metadata address, which exposes credentials. It is never allowed.")
                % {"address": text},
            )
        target = getattr(address, "ipv4_mapped", None) or address
        if any(network.holds(candidate, port) for network in self.allowed for candidate in (address, target)):
            return
        if not all(_is_public(form) for form in forms):
            raise DestinationBlocked(
                f"{text} is not a public address",
                _(
                    "%(address)s is not a public address. To allow it, add its network to the setting "
                    "DELIVERY_ALLOWED_NETWORKS."
                )
                % {"address": text},
            )

    def check_url(self, url: str) -> None:
        """Check a URL as far as possible without a name server. Raises DestinationBlocked."""
        host, port = host_and_port(url)
        if address := _spelled_address(host):
            self.check_address(str(address), port)

    def socket_factory(self, addr_info: tuple) -> socket.socket:
        """Make a socket to connect to this address. Raises DestinationBlocked."""
        family, kind, protocol, _name, sockaddr = addr_info
        self.check_address(str(sockaddr[0]), sockaddr[1])
        return socket.socket(family, kind, protocol)


def parse_allowed_networks(entries: Iterable[str]) -> list[AllowedNetwork]:
    """Parse `10.0.0.0/8`, `127.0.0.1/32:8001` or `[fd00::/8]:8443`. Raises ValueError that names the wrong value."""
    return [_parse_allowed_network(entry.strip()) for entry in entries if entry.strip()]


_ALLOWED_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


def _parse_allowed_network(entry: str) -> AllowedNetwork:
    form = _ALLOWED_WITH_PORT.fullmatch(entry)
    network, port = (form["v6"] or form["v4"], int(form["port"])) if form else (entry, None)
    try:
        if port is not None and not 1 <= port <= 65535:
            raise ValueError("the port is out of range")
        return AllowedNetwork(ipaddress.ip_network(network), port)
    except ValueError as error:
        raise ValueError(
            f"DELIVERY_ALLOWED_NETWORKS: {entry!r} is not a network such as 10.0.0.0/8, 127.0.0.1/32:8001 or [fd00::/8]:8443"
        ) from error


def host_and_port(url: str) -> tuple[str, int]:
    """Return where a URL leads. Raises DestinationBlocked if it leads nowhere."""
    try:
        parts = URL(url)
        host, port = parts.host, parts.port
    except ValueError as error:
        raise DestinationBlocked("not a URL", _("This is not a URL.")) from error
    if parts.scheme not in ("http", "https"):
        raise DestinationBlocked("neither http nor https", _("Only http and https are allowed."))
    if not host:
        raise DestinationBlocked("the URL has no host", _("This URL has no host."))
    if not port:
        raise DestinationBlocked("nothing listens at port 0", _("The port must be between 1 and 65535."))
    return host, port


def _spelled_address(host: str) -> Address | None:
    """Return the address that a host spells, also in the forms that C libraries accept: 2130706433, 0x7f.1, 127.1."""
    host = host.rstrip(".").partition("%")[0]
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):  # ValueError: it has a NUL, so no name server can know it either
        return None


def _is_public(address: Address) -> bool:
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return True  # the IPv4 address inside is checked instead
    return address.is_global and not is_odd and not any(_is_in(address, network) for network in _NOT_GLOBAL)


def _is_in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _translated(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield every IPv4 address that an IPv6 address may be translated to (NAT64, SIIT), with any network-specific prefix.

    RFC 6052, 2.2: prefixes have 32, 40, 48, 56, 64 or 96 bits.
    """
    if isinstance(address, ipaddress.IPv6Address):
        spread = address.packed[:8] + address.packed[9:]  # the ninth byte is left out
        yield from (ipaddress.IPv4Address(spread[size : size + 4]) for size in (4, 5, 6, 7, 8))
        yield ipaddress.IPv4Address(address.packed[12:])


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield every IPv4 address that an IPv6 address stands for in a transition mechanism."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    low = int(address) & 0xFFFFFFFF
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and low > 1):
        yield ipaddress.IPv4Address(low)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(low)
