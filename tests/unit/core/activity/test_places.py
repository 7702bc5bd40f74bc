"""The network of an address is a /24 or a /48, and all that are not of the internet are one."""

import pytest

from curfew.core.activity.noticing.places import network


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("8.8.4.7", "8.8.4.0/24"),
        ("8.8.4.255", "8.8.4.0/24"),
        ("2606:4700:1:2::3", "2606:4700:1::/48"),
        ("::ffff:8.8.4.7", "8.8.4.0/24"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "172.32.0.0/24"),
        ("192.168.0.1", "private"),
        ("100.100.1.1", "private"),
        ("127.0.0.1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("fd00::1", "private"),
        ("::1", "private"),
        ("fe80::1%eth0", "private"),
        ("", ""),
        ("nonsense", ""),
        ("8.8.4.7/24", ""),
    ],
)
def test_the_network_of_an_address(address: str, name: str) -> None:
    assert network(address) == name
