"""What people see of alerts, and what their answers become."""

import json
import stat
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curfew.api.alert_response import AlertResponse, ResponseAction
from curfew.audit.record import Record, Story, make_record
from curfew.cli import main
from curfew.core.detectors.alert import Alert, Evidence, Severity, WhichLog
from curfew.core.detectors.records import raised, resolved
from curfew.core.detectors.silences import AlertSilence, silenced
from tests.support.logs import BEGIN, ALog, a_log, a_signer, alter, opened

ACTIVITY = "main-activity"
ALICE, BOB = "alice@example.com", "bob@example.com"
OPEN = "ManyRequests"


def an_alert(detector: str = OPEN, who: str = ALICE, *, minutes: int = 0, **more: Any) -> Alert:
    """Return an alert about somebody, based on the second record of the trail."""
    return Alert(
        detector=detector,
        key=who,
        at=BEGIN + timedelta(minutes=minutes),
        severity=more.pop("severity", Severity.MEDIUM),
        title="Many requests by one person",
        message=f"{who} asked for access 4 times in 1h",
        trigger=None,
        evidence=(Evidence(WhichLog.TRAIL, 1, "x"),),
        people=(who,),
        namespace="payments",
        policy="debug",
        values={"requests": 4},
        **more,
    )


def late_use() -> Record:
    """Return an alert in the form that is older than the detectors."""
    story = Story(uid="uid-late", namespace="shop", request="inc-late", requester=BOB)
    return make_record(
        "alert.used_after_end", at=BEGIN, actor=BOB, message=f"{BOB} used access after its end", story=story, detail={}
    )


SILENCE = AlertSilence("uid-s", "bob-travels", BEGIN + timedelta(days=1), "travels", "carol@example.com", person=BOB)
RECORDS = (
    raised(an_alert(), ACTIVITY),
    silenced(SILENCE, ACTIVITY, at=BEGIN),
    raised(an_alert("OffHours", BOB, minutes=1, severity=Severity.LOW), ACTIVITY, silenced_by="uid-s"),
    raised(an_alert("Probing", minutes=2, severity=Severity.HIGH), ACTIVITY),
    late_use(),
)
PROBING = RECORDS[3].id
END = resolved(
    ACTIVITY,
    PROBING,
    detector="Probing",
    key=ALICE,
    title="t",
    at=BEGIN + timedelta(minutes=3),
    why="carol@example.com resolved it",
    by="carol@example.com",
    reason="a drill",
)


def activity(records: Sequence[Record] = (*RECORDS, END)) -> ALog:
    """Return a log of activity."""
    log = ALog(ACTIVITY, a_signer(ACTIVITY))
    log.append([opened(log.signer, ACTIVITY)])
    log.append(records)
    return log


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache folder that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where both logs lie."""
    return activity().lay(a_log(3).lay(tmp_path / "copy"))


def alerts(*arguments: object) -> Result:
    """Run `curfew alerts`."""
    return CliRunner().invoke(main, ["alerts", *map(str, arguments)], prog_name="curfew")


def listed(folder: Path, *arguments: object) -> list[dict[str, Any]]:
    """Return the alerts that are listed."""
    result = alerts("list", folder, "-o", "json", *arguments)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_alerts_are_listed_with_what_became_of_them(folder: Path) -> None:
    assert [(one["detector"], one["state"], one["severity"]) for one in listed(folder)] == [
        (OPEN, "Open", "Medium"),
        ("OffHours", "Silenced", "Low"),
        ("Probing", "Resolved", "High"),
        ("UsedAfterEnd", "Open", "High"),
    ]
    (ended,) = (one["end"] for one in listed(folder, "--detector", "Probing"))
    assert ended == {
        "at": (BEGIN + timedelta(minutes=3)).isoformat(),
        "why": "carol@example.com resolved it",
        "by": "carol@example.com",
        "reason": "a drill",
    }


@pytest.mark.parametrize(
    ("options", "detectors"),
    [
        (["--open"], [OPEN, "OffHours", "UsedAfterEnd"]),
        (["--person", BOB], ["OffHours", "UsedAfterEnd"]),
        (["--namespace", "shop"], ["UsedAfterEnd"]),
        (["--severity", "high"], ["Probing", "UsedAfterEnd"]),
        (["--detector", OPEN, "--detector", "OffHours"], [OPEN, "OffHours"]),
        (["--since", "2026-11-24"], ["Probing"]),
        (["--until", "2026-11-23"], [OPEN, "OffHours", "UsedAfterEnd"]),
        (["--limit", "1"], ["UsedAfterEnd"]),
    ],
    ids=" ".join,
)
def test_some_are_asked_for(folder: Path, options: list[str], detectors: list[str]) -> None:
    assert [one["detector"] for one in listed(folder, *options)] == detectors


def test_people_see_a_table(folder: Path) -> None:
    result = alerts("list", folder)

    assert result.exit_code == 0
    first, *_ = result.stdout.splitlines()
    assert first == (
        f"2026-11-23 23:58:30  {RECORDS[0].id}  Medium    Open      ManyRequests  "
        "alice@example.com asked for access 4 times in 1h"
    )


def test_an_alert_is_shown_with_its_evidence(folder: Path) -> None:
    """By the beginning of its id."""
    result = alerts("show", folder, RECORDS[0].id[:12])

    assert result.exit_code == 0, result.output
    assert "alice@example.com asked for access 4 times in 1h" in result.stdout
    assert "counted   requests 4" in result.stdout
    assert "main       1  2026-11-23 23:58:30  alice@example.com holds ClusterRole" in result.stdout
    assert f"curfew alerts resolve {RECORDS[0].id}" in result.stdout
    shown = json.loads(alerts("show", folder, RECORDS[0].id, "-o", "json").stdout)
    assert [(one["log"], one["index"]) for one in shown["records"]] == [("main", 1)]


def test_who_ended_it_and_who_silenced_it_are_shown(folder: Path) -> None:
    assert "carol@example.com resolved it (a drill)" in alerts("show", folder, PROBING).stdout
    assert "by carol@example.com (bob-travels): travels" in alerts("show", folder, RECORDS[2].id).stdout


@pytest.mark.parametrize(
    ("id_", "words"),
    [("0" * 32, "The log has no alert"), ("abc", "too short for an id")],
)
def test_an_id_that_is_none_is_refused(folder: Path, id_: str, words: str) -> None:
    result = alerts("show", folder, id_)

    assert result.exit_code == 2
    assert words in result.stderr


def test_without_a_monitor_there_are_no_alerts(tmp_path: Path) -> None:
    result = alerts("list", a_log(3).lay(tmp_path / "copy"))

    assert result.exit_code == 3
    assert "There is no log main-activity" in result.stderr


def test_alerts_before_a_bad_place_are_shown(tmp_path: Path) -> None:
    log = activity(RECORDS)
    log.append([END])
    alter(log, 2)

    result = alerts("list", log.lay(a_log(3).lay(tmp_path / "copy")), "-o", "json")

    assert result.exit_code == 1
    assert [one["state"] for one in json.loads(result.stdout)] == ["Open", "Silenced", "Open", "Open"]


def test_what_people_write_cannot_forge_lines(tmp_path: Path) -> None:
    """A name may hold what a terminal obeys."""
    record = raised(an_alert(who="\x1b[2Jmallory\n"), ACTIVITY)
    folder = activity([record]).lay(a_log(3).lay(tmp_path / "copy"))

    result = alerts("list", folder)

    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 1


# --- answers


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a kubectl that knows carol and writes down what it is to create; return that file."""
    program, created = tmp_path / "kubectl", tmp_path / "created.json"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "if sys.argv[1:3] == ['auth', 'whoami']:\n"
        "    print(json.dumps({'status': {'userInfo': {'username': 'carol@example.com'}}}))\n"
        "else:\n"
        "    manifest = json.load(sys.stdin)\n"
        f"    open({str(created)!r}, 'w').write(json.dumps(manifest))\n"
        "    manifest['metadata']['name'] = manifest['metadata']['generateName'] + 'x7'\n"
        "    print(json.dumps(manifest))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KUBECTL_PATH", str(program))
    return created


def created(path: Path) -> AlertResponse:
    """Return what was created, as the API server and the monitor read it."""
    manifest = json.loads(path.read_text())
    return AlertResponse.model_validate({**manifest, "metadata": {"name": "x"}})


def test_an_alert_is_resolved_in_the_callers_name(written: Path) -> None:
    result = alerts("resolve", PROBING, "--reason", "a drill")

    assert result.exit_code == 0, result.output
    assert "AlertResponse resolve-x7" in result.stdout
    spec = created(written).spec
    assert (spec.action, spec.alert, spec.reason) == (ResponseAction.RESOLVE, PROBING, "a drill")
    assert spec.submitted_by == "carol@example.com"


def test_alerts_are_silenced_until_a_time(written: Path) -> None:
    result = alerts("silence", "--detector", OPEN, "--policy", "payments/debug", "--for", "8h", "--reason", "a test")

    assert result.exit_code == 0, result.output
    assert "kubectl delete alertresponse silence-x7" in result.stdout
    spec = created(written).spec
    assert (spec.detector, spec.namespace, spec.policy) == (OPEN, "payments", "debug")
    assert spec.ends_at is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resolve", "abc", "--reason", "x"], "is no whole id"),
        (["silence", "--for", "8h", "--reason", "x"], "at least one of"),
        (["silence", "--detector", "Many", "--for", "8h", "--reason", "x"], "There is no detector Many"),
        (["silence", "--detector", OPEN, "--reason", "x"], "either --for or --until"),
        (["silence", "--detector", OPEN, "--for", "eight", "--reason", "x"], "--for:"),
        (["silence", "--detector", OPEN, "--for", "9000h", "--reason", "x"], "at most 90 days"),
        (["silence", "--policy", "debug", "--for", "8h", "--reason", "x"], "NAMESPACE/NAME"),
        (["silence", "--detector", OPEN, "--until", "2020-01-01T00:00:00Z", "--reason", "x"], "in the future"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_creates_nothing(written: Path, arguments: list[str], words: str) -> None:
    result = alerts(*arguments)

    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
    assert not written.exists()


def test_a_refusal_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_PATH", "/nonexistent/kubectl")

    result = alerts("resolve", PROBING, "--reason", "a drill")

    assert result.exit_code == 1
    assert "KUBECTL_PATH" in result.stderr
