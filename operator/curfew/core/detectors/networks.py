"""The network that a call came from, as far as it is certain."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

PRIVATE: Final = "private"
"""All private ranges as one: behind them are offices, VPNs and proxies, whose addresses mean little."""

_PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
            *("fc00::/7", "fe80::/10", "::1/128"),
        ),
    )
)


def network_of(addresses: Sequence[str]) -> str:
    """Return the /24 or /48 of the last address, which alone is certain; empty if there is none.

    The other addresses are what the caller or a proxy wrote into `X-Forwarded-For`.
    """
    try:
        address = ip_address(addresses[-1])
    except (IndexError, ValueError):
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if any(address in network for network in _PRIVATE):
        return PRIVATE
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
