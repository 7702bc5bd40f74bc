"""Follow a whole log from its first segment to its last, and say what is wrong with it and where.

Each place in a log has exactly one name, so a listing shows what is missing and what does not belong; each segment
commits to the one before it, so nothing can be altered, exchanged or left out between two that are there. What is left is
the end: a log that was cut off there looks like one that ends there. Only an anchor shows the difference: a receipt or a
checkpoint that was kept elsewhere.
"""

from collections.abc import Iterable

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Examined, LogRefused, Verified
from curfew.audit.walk import Walk


def verify(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Verified:
    """Return what a log holds, or raise `LogRefused` if anything at all is wrong with it.

    `objects` are the names and stored bytes of all that lies under the log's prefix, in the order of `in_order`.
    """
    examined = examine(log, objects, verifier, anchors)
    if examined.findings:
        raise LogRefused(examined)
    return examined.verified


def examine(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Examined:
    """Return all that is wrong with a log, and what is good. The arguments are those of `verify`."""
    walk = Walk(log, verifier, anchors)
    for name, stored in objects:
        walk.take(name, stored)
    return walk.finish()
