"""Kopf, without the official client of Kubernetes, which it imports where it is installed: 10 MB, for two names of classes."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
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


def inner(name: str) -> ModuleType:
    """Return one of Kopf's own modules; an empty one if this version of Kopf has it no more, so that it does what it likes."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return ModuleType(name)


with _absent("kubernetes"):
    import kopf as kopf

    processing = inner("kopf._core.reactor.processing")
    Identity: Any = getattr(inner("kopf._core.engines.peering"), "Identity", str)

__all__ = ["Identity", "inner", "kopf", "processing"]
