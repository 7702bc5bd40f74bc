"""Log lines: one JSON object each on stderr, ours and the libraries' alike, with no secrets in them (promise P12)."""

import functools
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, NamedTuple, TextIO

import structlog

from curfew.core.masking import MASK, mask

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_SECRET_WORDS = ("token", "authorization", "password", "secret", "apikey", "privatekey", "credential", "cookie")
_BODIES = frozenset({"body", "data", "payload", "requestbody"})

# Libraries that log too much: the lowest level at which each of them is heard, whatever is configured.
_QUIETER: Mapping[str, int] = {
    "aiohttp.access": logging.WARNING,  # each probe
    "asyncio": logging.WARNING,
    "botocore": logging.INFO,  # its debug lines hold signed headers and whole bodies
    "botocore.credentials": logging.WARNING,  # where it found keys, each time
    "kopf.objects": logging.WARNING,  # each event of each object
    "kubernetes": logging.INFO,  # its debug lines hold whole bodies
    "urllib3": logging.INFO,
}


def configure_logs(level: Level, format_: Format, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr), from `level` up. Call it once, before anything logs."""
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    finishing: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,  # as text: the dict form would hold every frame's variables
        without_secrets,
    ]
    if format_ == "json":
        finishing += [_in_order, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        traceback = structlog.dev.plain_traceback
        finishing += [
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time", exception_formatter=traceback)
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=finishing))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(threshold)
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(max(least, threshold))
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a full disk or a closed pipe must not end up in anybody's traceback


def without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values that are named like a secret or look like one, and leave out bodies, at any depth."""
    return {key: _masked(key, value) for key, value in event.items() if not _named(key).body}


def _masked(key: str, value: Any) -> Any:
    """Return a value that every reader of the logs may see."""
    if _named(key).secret:
        return MASK
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), held) for inner, held in value.items() if not _named(str(inner)).body}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", held) for held in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _masked("", str(value))


class _Named(NamedTuple):
    """What a key's name alone shows about its value."""

    secret: bool
    body: bool


@functools.lru_cache(maxsize=512)
def _named(key: str) -> _Named:
    """Judge a key, the same for all its spellings: `API-Key`, `api_key` and `apiKey`."""
    plain = key.lower().replace("-", "").replace("_", "")
    return _Named(secret=any(word in plain for word in _SECRET_WORDS), body=plain in _BODIES)


def _in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the fields that every line has at its start."""
    first = {key: event.pop(key) for key in ("time", "level", "event", "logger") if key in event}
    return {**first, **event}
