"""The network of a call is that of its last address, and all private ranges are one."""

import pytest

from curfew.core.detectors.networks import network_of


@pytest.mark.parametrize(
    ("addresses", "network"),
    [
        (("192.0.2.7",), "192.0.2.0/24"),
        (("203.0.113.9", "192.0.2.255"), "192.0.2.0/24"),
        (("2001:db8:1:2::3",), "2001:db8:1::/48"),
        (("::ffff:198.51.100.1",), "198.51.100.0/24"),
        (("10.1.2.3",), "private"),
        (("172.31.255.255",), "private"),
        (("172.32.0.0",), "172.32.0.0/24"),
        (("192.168.0.1",), "private"),
        (("100.100.1.1",), "private"),
        (("127.0.0.1",), "private"),
        (("fd00::1",), "private"),
        (("::1",), "private"),
        ((), ""),
        (("192.0.2.7", "nonsense"), ""),
        (("fe80::1%eth0",), "private"),
    ],
    ids=str,
)
def test_the_network_of_addresses(addresses: tuple[str, ...], network: str) -> None:
    assert network_of(addresses) == network
