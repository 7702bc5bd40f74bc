"""The network that a call came from, as far as it is certain."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

PRIVATE: Final = "private"
"""All private ranges as one: behind them are offices, VPNs and proxies, whose addresses mean little."""


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
    if address.is_private or address.is_loopback or address.is_link_local:
        return PRIVATE
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
