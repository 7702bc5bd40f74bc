"""Sentences, counts and times in the form in which people read them, safe to print."""

import re
from datetime import date, datetime, timedelta

NO_KEY = (
    "No key was given, so the one that the log names itself was used. This shows that the log is consistent, not who "
    "wrote it. Give the operator's key with --key or --key-file."
)
NO_ANCHOR = (
    "No anchor was given: a log that was cut off at its end looks complete. Give a receipt or a "
    "checkpoint with --anchor."
)


def plain_times(text: str, day: date) -> str:
    """Return a text with its RFC 3339 instants written as in a table: the time, and also the day if it is not `day`."""

    def plain(found: re.Match[str]) -> str:
        return found[2] if found[1] == day.isoformat() else f"{found[1]} {found[2]} UTC"

    return re.sub(r"\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z", plain, text)


def sentence(text: str) -> str:
    """Return a text as a sentence: with a capital, unless it begins with a name, and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def printable(text: str) -> str:
    """Return a text that cannot control the terminal it is printed on; records hold text from other people."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def count(number: int, thing: str) -> str:
    """Return a number with its noun, in the singular or the plural."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def in_utc(at: datetime) -> str:
    """Return an instant as people read it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def duration(length: timedelta) -> str:
    """Return a duration in its two largest non-zero units, for example `1 h 30 min`; below a minute, in seconds."""
    milliseconds = round(length.total_seconds() * 1000)
    if milliseconds < 0:
        return f"-{duration(-length)}"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g} s"
    seconds = milliseconds // 1000
    parts = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts[:2])
