"""What the demo stands on: where the trail goes, whom its contexts speak for, what it reads out of the audit log."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.demo.access import Written, find_written
from tools.demo.stage import available_store, write_impersonating
from tools.servers.errors import ServersError

BOB = "bob@example.com"


def an_event(user: str = BOB, code: int = 200, name: str = "inc-4711", second: int = 1) -> dict[str, Any]:
    return {
        "verb": "patch",
        "user": {"username": user},
        "objectRef": {"resource": "accessrequests", "name": name},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": f"2026-11-24T11:00:0{second}.000000Z",
        "stageTimestamp": f"2026-11-24T11:00:0{second}.250000Z",
    }


def a_log(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_the_first_call_that_was_carried_out_is_found(tmp_path: Path) -> None:
    """Neither a refused one, nor somebody else's, nor one about something else."""
    log = a_log(
        tmp_path / "audit.log",
        an_event(code=403),
        an_event(user="alice@example.com"),
        an_event(name="inc-1"),
        {"verb": "list", "user": {"username": BOB}},
        an_event(second=5),
        an_event(second=6),
    )

    found = find_written(log, "patch", "accessrequests", "inc-4711", BOB)

    asked = datetime(2026, 11, 24, 11, 0, 5, tzinfo=UTC)
    assert found == Written(asked, asked.replace(microsecond=250_000))


def test_what_was_not_carried_out_is_not_found(tmp_path: Path) -> None:
    log = a_log(tmp_path / "audit.log", an_event(code=409))

    assert find_written(log, "patch", "accessrequests", "inc-4711", BOB) is None


def test_a_folder_stands_in_for_a_bucket_server_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """And why is said."""

    def build(names: list[str]) -> None:
        raise ServersError(f"{names[0]} could not be built")

    monkeypatch.setattr("tools.demo.stage.build", build)

    assert available_store("s3") == ("file", "versitygw could not be built")
    assert available_store("file") == ("file", "")


def test_a_context_of_a_foreign_cluster_speaks_for_one_person(tmp_path: Path) -> None:
    """With the credentials of whoever is there, who keeps a context of their own."""
    source = tmp_path / "theirs"
    source.write_text(
        yaml.safe_dump(
            {
                "current-context": "prod",
                "clusters": [{"name": "c", "cluster": {"server": "https://example.com"}}],
                "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "me"}}],
                "users": [{"name": "me", "user": {"token": "t"}}],
            }
        )
    )

    config = yaml.safe_load(write_impersonating(source, tmp_path / "ours").read_text())

    users = {user["name"]: user["user"] for user in config["users"]}
    contexts = {context["name"]: context["context"] for context in config["contexts"]}
    assert users["admin"] == {"token": "t"}
    assert users["bob"] == {"token": "t", "as": BOB}
    assert contexts["bob"] == {"cluster": "c", "user": "bob"}
    assert config["current-context"] == "admin"
