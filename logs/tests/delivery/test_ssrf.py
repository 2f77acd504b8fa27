from __future__ import annotations

import asyncio
import socket

import pytest

from logs.delivery.name_lookup import FilteringResolver
from logs.delivery.ssrf import (
    AllowedNetwork,
    DestinationBlocked,
    DestinationFilter,
    parse_allowed_networks,
)

CLOSED = DestinationFilter()
WIDE_OPEN = DestinationFilter(parse_allowed_networks(["0.0.0.0/0", "::/0"]))

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700::5efe:8.8.8.8",
    "2606:4700::300:5efe:127.0.0.1",  # not ISATAP: only 0 and 200 stand before 5efe
]
NOT_PUBLIC = [
    # IANA's IPv4 special-purpose registry, and multicast
    "0.0.0.0",
    "0.1.2.3",
    "0.255.255.255",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",  # carrier-grade NAT
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.0",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.100",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",  # benchmarking
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "233.252.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",  # broadcast
    # IANA's IPv6 special-purpose registry, multicast, and what was never allocated
    "::",
    "::1",
    "::1%lo",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2001:10::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",  # multicast to everywhere
    # IPv4 inside of IPv6
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:127.0.0.1%lo",
    "::ffff:0.0.0.0",
    "::ffff:100.64.0.1",
    "::ffff:169.254.1.1",
    "::ffff:198.18.0.1",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    "::2",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::100.64.0.1",
    "64:ff9b::224.0.0.1",
    "64:ff9b::255.255.255.255",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1:808:8:808:808:808",  # 8.8.8.8 wherever it may lie, by way of somebody's own network
    "64:ff9b:1:a00:1::808:808",  # 10.0.0.x where the prefix has 48 bits, whatever comes after
    "2002:7f00:1::",
    "2002:c0a8:1::1",
    "2002:6440:1::1",
    "2002:e000:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::5efe:0.0.0.0",
    "2606:4700::5efe:10.0.0.1%eth0",
    "2606:4700::200:5efe:127.0.0.1",
    "2606:4700::200:5efe:100.64.0.1",
    "fe80::5efe:8.8.8.8",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:ec2::254%eth0",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "::ffff:168.63.129.16",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",  # RFC 6052, prefix of 48 bits
    "64:ff9b:1:a9:fe:a9fe::",  # of 56
    "64:ff9b:1:0:a9:fea9:fe00:0",  # of 64
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",  # Teredo: the server
    "2001:0:102:304:0:0:5601:5601",  # Teredo: the client, inverted
    "2606:4700::5efe:169.254.169.254",
    "::ffff:0:169.254.169.254",  # RFC 2765, translated
    "2606:4700:ff9b::169.254.169.254",  # RFC 6052 with a network's own prefix, of 96 bits
    "fd00:64::100.100.100.200",
    "2606:4700:a9fe:a9fe::",  # of 32
    "2606:4700:64a9:fea9:fe::",  # of 40
    "2606:4700:64:a9fe:a9:fe00::",  # of 48
    "2606:4700:64:64a9:fe:a9fe::",  # of 56
    "2606:4700:64:64:a9:fea9:fe00:0",  # of 64
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    CLOSED.check_address(address, 443)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_refused(address):
    with pytest.raises(DestinationBlocked) as refusal:
        CLOSED.check_address(address, 443)
    assert str(refusal.value) == f"{address} is not a public address"
    assert str(refusal.value.message) == (
        f"{address} is not a public address. To allow it, add its network to the setting DELIVERY_ALLOWED_NETWORKS."
    )


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_the_setting_can_allow_addresses_that_are_not_public(address):
    WIDE_OPEN.check_address(address, 443)


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("guard", [CLOSED, WIDE_OPEN], ids=["closed", "wide open"])
def test_no_setting_allows_metadata_addresses(guard, address):
    with pytest.raises(DestinationBlocked) as refusal:
        guard.check_address(address, 80)
    assert str(refusal.value) == f"{address} is a cloud metadata address"


@pytest.mark.parametrize(
    ("entry", "address", "port", "is_open"),
    [
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, True),  # public anyhow
        ("10.0.0.0/8", "192.168.0.1", 443, False),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", 443, False),  # another network's way in: to be opened by its own name
        ("127.0.0.1/32:8001", "127.0.0.1", 8001, True),
        ("127.0.0.1/32:8001", "127.0.0.1", 8002, False),
        ("127.0.0.1/32:8001", "127.0.0.2", 8001, False),
        ("[fd00::/8]:8443", "fd00::1", 8443, True),
        ("[fd00::/8]:8443", "fd00::1", 443, False),
        ("fd00::/8", "fd12::1", 443, True),
        ("0.0.0.0/0", "fd00::1", 443, False),
    ],
)
def test_an_allowed_network_allows_only_itself(entry, address, port, is_open):
    guard = DestinationFilter(parse_allowed_networks([entry]))
    if is_open:
        guard.check_address(address, port)
    else:
        with pytest.raises(DestinationBlocked):
            guard.check_address(address, port)


@pytest.mark.parametrize(
    ("entry", "network", "port"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", None),
        (" 10.0.0.0/8 ", "10.0.0.0/8", None),
        ("10.0.0.1", "10.0.0.1/32", None),
        ("127.0.0.1/32:8001", "127.0.0.1/32", 8001),
        ("10.0.0.0/8:65535", "10.0.0.0/8", 65535),
        ("fd00::/8", "fd00::/8", None),
        ("[fd00::/8]:8443", "fd00::/8", 8443),
    ],
)
def test_an_allowed_network_can_have_a_port(entry, network, port):
    (allowed,) = parse_allowed_networks([entry, ""])
    assert isinstance(allowed, AllowedNetwork)
    assert (str(allowed.network), allowed.port) == (network, port)


@pytest.mark.parametrize(
    "entry",
    [
        "localhost",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/8:",
        "10.0.0.0/8:0",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:+5",
        "10.0.0.0/8:٣",
        "10.0.0.0/8:http",
        "[fd00::/8",
        "[fd00::/8]",
        "[fd00::/8]8443",
        "10.0.0.0/8 192.168.0.0/16",
    ],
)
def test_a_wrong_entry_is_named(entry):
    with pytest.raises(ValueError) as error:
        parse_allowed_networks(["10.0.0.0/8", entry])
    assert str(error.value).startswith(f"DELIVERY_ALLOWED_NETWORKS: {entry!r} is not a network")


def test_the_settings_decide_what_is_allowed(settings):
    settings.DELIVERY_ALLOWED_NETWORKS = ["127.0.0.1/32:8001"]
    DestinationFilter.from_settings().check_address("127.0.0.1", 8001)
    settings.DELIVERY_ALLOWED_NETWORKS = ["nonsense"]
    with pytest.raises(ValueError, match="'nonsense' is not a network"):
        DestinationFilter.from_settings()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "HTTP://127.0.0.1",
        "https://127.0.0.1:8443/hook?a=1",
        "http://user:password@127.0.0.1/",
        "http://8.8.8.8@127.0.0.1/",
        "http://8.8.8.8:80@127.0.0.1/",
        "http://a@b@127.0.0.1/",
        "http://127.0.0.1#@8.8.8.8/",
        "http://127.0.0.1?@8.8.8.8/",
        "http://127.0.0.1/@8.8.8.8/",
        "http://1.1.1.1 &@127.0.0.1# @8.8.8.8/",
        "http://127.0.0.1./",
        "http://127.0.0.1../",
        "http://127.0.0.1.:80/",
        "http://2130706433/",
        "http://4294967295/",
        "http://0x7f000001/",
        "http://0x7f000001./",
        "http://0X7F000001/",
        "http://0xffffffff/",
        "http://0x7f.1/",
        "http://0x7F.0x0.0x0.0x1/",
        "http://0177.0.0.1/",
        "http://00000177.0.0.1/",
        "http://017700000001/",
        "http://0300.0250.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://10.1/",
        "http://192.168.257/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",
        "http://127｡0｡0｡1/",
        "http://127.0.0.1。/",
        "http://１２７.0.0.1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
        "http://127%2e0%2e0%2e1/",
        " http://127.0.0.1/",
        "http://127.0.0.1 /",
        "http://127.0\n.0.1/",
        "ht\ntp://127.0.0.1/",
        "http://127.0.0.1:８０/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[0000::1]/",
        "http://[::127.0.0.1]/",
        "http://[::FFFF:7F00:1]/",
        "http://[2002:7f00:1::1]/",
        "http://[::1%25lo]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[64:ff9b::7f00:1]/",
        "http://0/",
    ],
)
def test_every_spelling_of_a_private_address_is_refused(url):
    with pytest.raises(DestinationBlocked, match=r"is not a public address$"):
        CLOSED.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254./",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://１６９.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://[fd00:ec2::254%25eth0]/",
    ],
)
def test_a_metadata_url_is_always_refused(url):
    with pytest.raises(DestinationBlocked, match=r"is a cloud metadata address$"):
        WIDE_OPEN.check_url(url)


@pytest.mark.parametrize(
    ("url", "record"),
    [
        ("", "neither http nor https"),
        ("www.server.com/hook", "neither http nor https"),
        ("//www.server.com/hook", "neither http nor https"),
        ("ftp://www.server.com/", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("http://", "the URL has no host"),
        ("http:///hook", "the URL has no host"),
        ("http:127.0.0.1/", "the URL has no host"),
        ("http:/127.0.0.1/", "the URL has no host"),
        ("http:////127.0.0.1/", "the URL has no host"),
        ("http:\\\\127.0.0.1\\", "the URL has no host"),
        ("http://8.8.8.8\\@127.0.0.1/", "not a URL"),
        ("http://127.0.0.1\\@8.8.8.8/", "not a URL"),
        ("http://127.0.0.1\\.server.com/", "not a URL"),
        ("http://127.0.0.1\u00ad/", "not a URL"),
        ("http://127\u200b.0.0.1/", "not a URL"),
        ("http://[::1].server.com/", "not a URL"),
        ("http://:80/", "not a URL"),
        ("http://www.server.com:0/", "nothing listens at port 0"),
        ("http://www.server.com:65536/", "not a URL"),
        ("http://www.server.com:http/", "not a URL"),
        ("http://[::1/", "not a URL"),
    ],
)
def test_an_invalid_url_of_a_receiver_is_refused(url, record):
    with pytest.raises(DestinationBlocked) as refusal:
        CLOSED.check_url(url)
    assert str(refusal.value) == record


@pytest.mark.parametrize(
    "url",
    [
        "https://www.server.com",
        "https://www.server.com./hook",
        "http://user:password@www.server.com:8080/hook?token=1#part",
        "https://ñandú.example/",
        "http://8.8.8.8:65535/",
        "http://[2606:4700::1111]/",
        "http://127.0.0.1%2f@8.8.8.8/",  # the host is what comes after the @
        "http://localhost/",  # a name: judged when it is resolved, as are the next
        "http://ⓛocalhost/",
        "http://%31%32%37.0.0.1/",
        "http://١٢٧.0.0.1/",
        "http://256.256.256.256/",
        "http://127.0.0.1_/",
        "http://name\0/",  # no name server has it
    ],
)
def test_other_urls_pass_without_resolving_a_name(url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", None)
    CLOSED.check_url(url)


class NameServer:
    """Replaces the resolver of the machine; every name has the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.is_closed = False

    async def resolve(self, host: str, port: int) -> list[tuple]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    "addresses", [("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8"), ("8.8.8.8", "8.8.4.4", "::1"), ("fe80::1%eth0",)]
)
def test_a_name_with_one_refused_address_is_refused(addresses):
    with pytest.raises(DestinationBlocked, match=r"is not a public address$"):
        asyncio.run(FilteringResolver(CLOSED, NameServer(*addresses)).resolve("www.server.com", 443))


def test_a_name_with_public_addresses_resolves_to_all_of_them():
    results = asyncio.run(FilteringResolver(CLOSED, NameServer("8.8.8.8", "8.8.4.4")).resolve("www.server.com", 443))
    assert [address for *_kind, (address, _port) in results] == ["8.8.8.8", "8.8.4.4"]


def test_the_port_is_checked_for_names_too():
    guard = DestinationFilter(parse_allowed_networks(["10.0.0.0/8:8001"]))
    resolver = FilteringResolver(guard, NameServer("10.0.0.1"))
    assert len(asyncio.run(resolver.resolve("www.server.com", 8001))) == 1
    with pytest.raises(DestinationBlocked):
        asyncio.run(resolver.resolve("www.server.com", 8002))


def test_closing_the_resolver_closes_the_wrapped_one():
    name_server = NameServer()
    FilteringResolver(CLOSED, name_server).close()
    assert name_server.is_closed


def test_no_socket_is_created_for_a_refused_address(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)  # making one would be a TypeError
    with pytest.raises(DestinationBlocked):
        CLOSED.socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    with pytest.raises(DestinationBlocked):
        CLOSED.socket_factory((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 2)))


def test_a_socket_is_created_for_an_allowed_address():
    guard = DestinationFilter(parse_allowed_networks(["127.0.0.1/32:80"]))
    with guard.socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))) as created:
        assert (created.family, created.type) == (socket.AF_INET, socket.SOCK_STREAM)
