"""Follow a whole log from its first segment to its last, and report its faults and their places.

Each place in a log has exactly one name, so a listing shows missing and foreign objects. Each segment commits to the
one before it, so nothing between two existing segments can be altered, replaced or left out. That leaves the end: a log
that was cut off there looks like one that ends there. Only an anchor shows the difference: a receipt or a checkpoint
that was kept elsewhere.
"""

from collections.abc import Iterable

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Examined, LogRefused, Verified
from curfew.audit.walk import Walk


def verify(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Verified:
    """Return the content of a log, or raise `LogRefused` if anything at all is wrong with it.

    `objects` are the names and stored bytes of all objects under the log's prefix, in the order of `in_order`.
    """
    examined = examine(log, objects, verifier, anchors)
    if examined.findings:
        raise LogRefused(examined)
    return examined.verified


def examine(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Examined:
    """Return all faults of a log, and its good part. The arguments are those of `verify`."""
    walk = Walk(log, verifier, anchors)
    for name, stored in objects:
        walk.take(name, stored)
    return walk.finish()
