"""Log lines are JSON, whoever writes them, and hold no secrets."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from curfew.adapters.logs import configure_logs


class Lines(io.StringIO):
    """Where log lines go."""

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level, loud = root.handlers[:], root.level, logging.raiseExceptions
    lines = Lines()
    configure_logs("info", "json", lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = loud
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_line_says_when_how_bad_and_what(lines: Lines) -> None:
    structlog.get_logger("curfew.test").info(
        "binding removed", binding="curfew-1", late_seconds=0.002, names=("a", "b")
    )
    [line] = lines.parsed
    assert list(line)[:4] == ["time", "level", "event", "logger"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))).total_seconds() < 60
    assert line == {
        "level": "info",
        "event": "binding removed",
        "logger": "curfew.test",
        "binding": "curfew-1",
        "late_seconds": 0.002,
        "names": ["a", "b"],
    }


def test_the_libraries_write_the_same_lines(lines: Lines) -> None:
    logging.getLogger("kopf.activities").warning("cannot %s", "log in")
    [line] = lines.parsed
    assert line["event"] == "cannot log in"
    assert line["level"] == "warning"
    assert line["logger"] == "kopf.activities"


def test_what_is_beneath_the_level_is_not_written(lines: Lines) -> None:
    structlog.get_logger().debug("nothing")
    logging.getLogger("aiohttp.access").info("GET /healthz")
    logging.getLogger("kopf.objects").info("Handler succeeded")
    assert lines.parsed == []


def test_nothing_lowers_the_level_of_those_that_say_too_much(lines: Lines) -> None:
    configure_logs("debug", "json", lines)
    logging.getLogger("botocore.endpoint").debug("Making request with %s", {"Authorization": "x"})
    structlog.get_logger().debug("something")
    assert [line["event"] for line in lines.parsed] == ["something"]


@pytest.mark.parametrize(
    "said",
    [
        {"token": "s3cr3t-value"},
        {"Authorization": "s3cr3t-value"},
        {"db_password": "s3cr3t-value"},
        {"clientSecret": "s3cr3t-value"},
        {"headers": {"X-Api-Key": "s3cr3t-value"}},
        {"calls": [{"session-token": "s3cr3t-value"}]},
        {"body": "s3cr3t-value"},
        {"request": {"body": {"spec": "s3cr3t-value"}}},
        {"problem": "401 with Bearer s3cr3t-value"},
        {"problem": ValueError("sent Authorization: bearer s3cr3t-value")},
        {"url": "https://me:s3cr3t-value@minio:9000/trail"},
        {"problem": "-----BEGIN EC PRIVATE KEY-----\ns3cr3t-value"},
    ],
    ids=lambda said: str(said)[:50],
)
def test_secrets_and_bodies_are_not_written(lines: Lines, said: dict[str, Any]) -> None:
    structlog.get_logger().info("something happened", **said)
    assert "something happened" in lines.getvalue()
    assert "s3cr3t-value" not in lines.getvalue()


def test_secrets_in_what_libraries_say_are_not_written(lines: Lines) -> None:
    logging.getLogger("aiohttp").warning("retry with %s", "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl")
    logging.getLogger("aiohttp").error("failed", exc_info=RuntimeError("Basic c2VjcmV0OnZhbHVl"))
    first, second = lines.parsed
    assert first["event"] == "retry with ***"
    assert "RuntimeError: Basic ***" in second["exception"]


def test_harmless_words_are_left_alone(lines: Lines) -> None:
    structlog.get_logger().info("basic authentication failed", problem="bearer of news", host="https://minio:9000/x")
    [line] = lines.parsed
    assert line["event"] == "basic authentication failed"
    assert line["problem"] == "bearer of news"
    assert line["host"] == "https://minio:9000/x"


def test_people_at_a_terminal_get_something_to_read(lines: Lines) -> None:
    configure_logs("info", "console", lines)
    structlog.get_logger().error(
        "binding removed", binding="curfew-1", token="x", exc_info=ValueError("Bearer 12345678")
    )
    assert "binding removed" in lines.getvalue()
    assert "binding=curfew-1" in lines.getvalue()
    assert "token=***" in lines.getvalue()
    assert "ValueError: Bearer ***" in lines.getvalue()


def test_a_stream_that_is_closed_harms_nobody(lines: Lines) -> None:
    lines.close()
    structlog.get_logger().info("nobody hears")
    logging.getLogger("kopf").warning("nobody hears")
