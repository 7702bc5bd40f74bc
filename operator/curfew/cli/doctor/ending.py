"""What ends in the Secrets of a namespace: certificates, and tokens that say until when they are valid.

kubectl hands over nothing else: no key and no password reaches this process.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from curfew.audit.wording import printable
from curfew.core.doctor.facts import Expiry, Json

# A value that begins with `-----BEGIN CERT` or, as each JSON web token does, with `eyJ`, in base64. Of a token that never
# ends, only whose it is.
TEMPLATE: Final = (
    "{{range .items}}{{$name := .metadata.name}}"
    '{{if eq .type "kubernetes.io/service-account-token"}}'
    'account {{$name}} {{index .metadata.annotations "kubernetes.io/service-account.name"}}{{"\\n"}}'
    "{{else}}{{range $key, $value := .data}}"
    '{{if or (eq (printf "%.20s" $value) "LS0tLS1CRUdJTiBDRVJU") (eq (printf "%.4s" $value) "ZXlK")}}'
    'value {{$name}} {{$key}} {{$value}}{{"\\n"}}'
    "{{end}}{{end}}{{end}}{{end}}"
)
"""The Go template by which kubectl picks them."""

_LONGEST_TOKEN: Final = 64 * 1024


def token_secrets(told: str) -> list[Json]:
    """Return the Secrets that hold a token of a service account for ever, and whose."""
    found = [words for line in told.splitlines() if len(words := line.split(" ")) == 3 and words[0] == "account"]
    return [{"metadata": {"name": name}, "account": account} for _, name, account in found]


def expiries(told: str) -> list[Expiry]:
    """Return when each certificate and each token ends. What cannot be read is left out."""
    return [one for line in told.splitlines() for one in _expiries(line)]


def _expiries(line: str) -> Iterator[Expiry]:
    words = line.split(" ")
    if len(words) != 4 or words[0] != "value":
        return
    what = printable(f"Secret {words[1]}, {words[2]}")
    try:
        held = base64.b64decode(words[3], validate=True)
    except (binascii.Error, ValueError):
        return
    if held.startswith(b"eyJ"):
        ends = _token_end(held)
        if ends is not None:
            yield Expiry(what, ends, is_token=True)
        return
    from cryptography import x509  # only here: nothing else of the doctor's needs it

    try:
        found = x509.load_pem_x509_certificates(held)
    except ValueError:
        return
    yield Expiry(what, min(one.not_valid_after_utc for one in found), is_token=False)


def _token_end(token: bytes) -> datetime | None:
    """Return until when a JSON web token is valid, by what it says itself."""
    parts = token.strip().split(b".")
    if len(parts) != 3 or len(token) > _LONGEST_TOKEN:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, OSError):
        return None
