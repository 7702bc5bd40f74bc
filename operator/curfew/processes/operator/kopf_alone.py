"""Kopf, without the official client of Kubernetes, which it imports where it is installed: 10 MB, for two names of classes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """Let imports of a module fail within the block, as if it were not installed, unless it was imported before."""
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


with _absent("kubernetes"):
    import kopf as kopf
    from kopf._core.engines.peering import Identity as Identity
    from kopf._core.reactor import processing as processing

__all__ = ["Identity", "kopf", "processing"]
