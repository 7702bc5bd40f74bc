"""Finds secrets inside text, and masks them before anybody reads the text (promise P12)."""

import re

MASK = "***"

# What a secret looks like, what is written instead, and the words (in small letters) of which it has at least one.
# A header's value, a JSON web token, a password in a URL, a parameter that is named like a secret, a password in SQL, a
# private key.
_SECRETS = (
    (re.compile(r"\b((?i:bearer|basic))\s+(?=\S*[0-9A-Z=])[\w.~+/=-]{8,}"), rf"\1 {MASK}", ("bearer", "basic")),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), MASK, ("eyj",)),
    (re.compile(r"(\w://[^\s/:@]*):[^\s/@]+@"), rf"\1:{MASK}@", ("://",)),
    # What stands before "token" in the name is not looked at: that would take quadratic time.
    (re.compile(r"(?i)((?:token|password|secret|signature|credential|\bsig)=)[^\s&\"',;]+"), rf"\1{MASK}", ("=",)),
    (
        re.compile(r"(?i)\b((?:password|identified\s+by)(?:\s*=\s*|\s+))'(?:[^']|'')*(?:'|\Z)"),
        rf"\1{MASK}",
        ("password", "identified"),
    ),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
        ("private key",),
    ),
)


def mask(text: str) -> str:
    """Return the text, with everything masked that looks like a secret."""
    # Looking for a word takes a tenth of the time. Outside ASCII there are other letters that a pattern takes for these.
    small = text.lower() if text.isascii() else None
    for secret, instead, words in _SECRETS:
        if small is None or any(word in small for word in words):
            text = secret.sub(instead, text)
    return text
