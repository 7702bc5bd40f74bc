"""Bearer tokens from a file, one a line, so that an old and a new one can be valid together while they are exchanged."""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Final, NewType

Digest = NewType("Digest", bytes)
"""The SHA-256 of a token: comparing digests takes the same time wherever they differ."""

SHORTEST: Final = 16
MOST_TOKENS: Final = 100

_TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/-]{16,4096}=*")  # RFC 6750, section 2.1
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE | re.ASCII)  # RFC 9110, section 11.4


class TokensUnusable(Exception):
    """A file that holds no tokens, or something else. `str(error)` is a sentence for people, without the token."""


def tokens_in(content: bytes, path: Path) -> tuple[Digest, ...]:
    """Return the digests of the tokens in a file, or raise `TokensUnusable`."""
    found = []
    for number, line in enumerate(content.split(b"\n", MOST_TOKENS), 1):
        token = line.strip()
        if token and not _TOKEN.fullmatch(token):
            raise TokensUnusable(
                f"{path}: line {number} is not a token. Write one token a line: at least {SHORTEST} of the characters "
                "A-Z, a-z, 0-9, and - . _ ~ + /"
            )
        if token:
            found.append(_digest(token))
    if not found:
        raise TokensUnusable(f"{path} holds no token. Write one a line")
    return tuple(found)


def is_bearer(authorization: str, tokens: tuple[Digest, ...]) -> bool:
    """Whether the value of an Authorization header holds one of the tokens."""
    found = _BEARER.fullmatch(authorization)
    if found is None:
        return False
    given = _digest(found[1].encode(errors="surrogateescape"))
    # No short cut: which of the tokens it is shows in the time no more than whether it is one.
    return sum(hmac.compare_digest(given, token) for token in tokens) > 0


def _digest(token: bytes) -> Digest:
    return Digest(hashlib.sha256(token).digest())
