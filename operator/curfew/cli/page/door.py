"""Who gets in: whoever knows the address. Other people of the same machine, and other sites in the same browser, do not."""

import hmac
import secrets
from typing import Final

from aiohttp import web

HOST: Final = "127.0.0.1"
"""The only address that the page listens on."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address is the secret
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Server": "curfew",
}
"""What each answer carries, whatever it is: no script, no frame, nothing kept, and the address told to nobody."""


class PageDoor:
    """Admits a call if its path begins with the token and it was meant for this address."""

    def __init__(self, port: int, token: str = "") -> None:
        """Without a token, a new one of 256 random bits is made."""
        self._token = token or secrets.token_urlsafe(32)
        # A name of another site that was made to point here would be in the Host header.
        self._hosts = (f"{HOST}:{port}", f"localhost:{port}")
        self.address = f"http://{HOST}:{port}/{self._token}/"

    def view_of(self, request: web.Request) -> str | None:
        """Return the part of the path after the token, or None for a call that does not get in."""
        start, token, *view = request.path.split("/", 2)
        is_known = hmac.compare_digest(token.encode(errors="replace"), self._token.encode())
        hosts = request.headers.getall("Host", [])
        is_meant = len(hosts) == 1 and hosts[0].lower() in self._hosts
        return view[0] if is_known and is_meant and not start and view else None
