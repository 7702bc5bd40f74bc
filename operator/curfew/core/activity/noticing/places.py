"""From where and with what a person came, coarse enough to be the same on most days."""

import ipaddress
from typing import Final

from curfew.core.activity.call import Call
from curfew.core.activity.call_records import addresses

PRIVATE: Final = "private"
"""All networks inside: they are many, and which of them is by chance."""

_BITS: Final = {4: 24, 6: 48}


def network_of(call: Call) -> str:
    """Return the network that a call came from; empty if it is not known.

    Only the last address is not the caller's word. Behind a proxy that is the proxy's, and so it is for everybody.
    """
    known = addresses(call)
    if not known or known[-1] != call.source_addresses[-1]:
        return ""
    return network(known[-1])


def network(text: str) -> str:
    """Return the network of an address, a /24 or a /48; `PRIVATE` if it is not of the internet, empty if it is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global:
        return PRIVATE
    return str(ipaddress.ip_network((address, _BITS[address.version]), strict=False))


def credential_of(call: Call) -> str:
    """Return the credential of a call; of tokens only the kind of id (JTI), because each token has another one."""
    credential = call.caller.credential or ""
    kind, _, _ = credential.partition("=")
    return kind if kind == "JTI" else credential
