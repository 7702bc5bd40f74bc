"""What an auditor gets from `curfew audit session`: the answer, computed again from both logs, and what it is made of."""

import json
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.audit.record import Record
from curfew.cli import main
from curfew.core.activity.external.event import ExternalEvent
from curfew.core.activity.external.recording import external_called
from curfew.core.activity.external.tying import Strength, Tie, TiedBy
from tests.support.logs import ALog, a_signer, alter
from tests.support.scale import times
from tests.support.watching import ACTIVITY, Watch, a_call, sealed, the_calls, the_session, the_trail, the_watch
from tests.unit.cli.test_report import Page
from tests.vectors.make_vectors import BEGUN, ENDED

SOON = ENDED + timedelta(seconds=3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache folder that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def session(folder: Path, *arguments: object, name: str = "payments/inc-4711") -> Result:
    """Run `curfew audit session`."""
    return CliRunner().invoke(main, ["audit", "session", str(folder), name, *map(str, arguments)], prog_name="curfew")


def told(folder: Path, *arguments: object) -> Any:
    """Return a session as JSON."""
    result = session(folder, "-o", "json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def laid(watch: Watch, tmp_path: Path, trail: ALog | None = None) -> Path:
    """Return a folder with both logs."""
    return sealed(watch).lay((trail or the_trail()).lay(tmp_path / "copy"))


@pytest.fixture
def watch() -> Watch:
    """Return what the monitor has recorded of alice's minute: reads, a change, a refused change and a connection."""
    made = the_watch()
    made.see(*the_calls(made))
    made.assess(the_session(made).uid, SOON)
    return made


@pytest.fixture
def folder(watch: Watch, tmp_path: Path) -> Path:
    """Return where it lies."""
    return laid(watch, tmp_path)


# --- the answer


def test_it_shows_the_answer_and_that_the_monitor_recorded_the_same(folder: Path) -> None:
    shown = told(folder)

    assert shown["answer"]["changes"] == "Yes"
    assert shown["answer"]["final"]
    assert shown["answer"]["changed"] == ["deployments.apps/web"]
    assert (shown["answer"]["writes"], shown["answer"]["denied"], shown["answer"]["opaque"]) == (1, 1, 1)
    assert shown["recorded"]["changes"] == "Yes"
    assert shown["differs"] == []
    assert shown["coverage"] == {"whole": True, "holes": []}


@pytest.mark.parametrize(
    ("kept", "answer"),
    [
        pytest.param(lambda call: call.verb in ("list", "get"), "No", id="only reads"),
        pytest.param(lambda call: call.verb != "patch" and call.subresource != "exec", "No", id="a refused change"),
        pytest.param(lambda call: call.verb != "patch", "Unknown", id="a connection"),
        pytest.param(lambda call: True, "Yes", id="a change"),
        pytest.param(lambda call: False, "No", id="no use at all"),
    ],
)
def test_the_answer_follows_from_the_calls(kept: Callable[[Any], bool], answer: str, tmp_path: Path) -> None:
    watch = the_watch()
    watch.see(*filter(kept, the_calls(watch)))

    shown = told(laid(watch, tmp_path))

    assert shown["answer"]["changes"] == answer
    assert bool(shown["answer"]["reasons"]) == (answer == "Unknown")
    assert shown["recorded"] is None


def test_silence_is_not_no(tmp_path: Path) -> None:
    watch = the_watch()
    watch.lose(BEGUN + timedelta(seconds=10), BEGUN + timedelta(seconds=20), "no test call arrived")

    shown = told(laid(watch, tmp_path))
    text = session(tmp_path / "copy").stdout

    assert shown["answer"]["changes"] == "Unknown"
    (hole,) = shown["coverage"]["holes"]
    assert hole["why"] == "no test call arrived"
    assert "  Feed      not known to be whole from 2026-11-23 23:59:41 UTC on for 10 s: no test call arrived" in text


def forged(record: Record) -> Record:
    """Return an answer that says that nothing was changed."""
    block = {**record.block, "detail": {**record.block["detail"], "changes": "No", "writes": 0}}
    return replace(record, body={**record.body, "unmapped": {"curfew": block}})


def test_a_recorded_answer_that_does_not_follow_from_the_logs_is_shown(watch: Watch, tmp_path: Path) -> None:
    watch.records[-1] = forged(watch.records[-1])
    folder = laid(watch, tmp_path)

    shown, text = told(folder), session(folder).stdout

    assert shown["answer"]["changes"] == "Yes"
    assert shown["recorded"]["changes"] == "No"
    assert shown["differs"] == ["changes", "writes"]
    assert "  Recorded  DIFFERS: the monitor recorded No; other values in changes, writes  [" in text


def test_a_session_without_a_recorded_answer_is_told_so(tmp_path: Path) -> None:
    watch = the_watch()
    watch.see(*the_calls(watch))

    assert "  Recorded  no answer of the monitor is in the log" in session(laid(watch, tmp_path)).stdout


# --- what it is made of


def test_calls_are_grouped_and_their_sum_is_all_calls(folder: Path) -> None:
    shown = told(folder, "--calls")
    kinds = [(one["verb"], one["resource"], one["outcome"], one["count"]) for one in shown["groups"]]

    assert ("patch", "deployments.apps", "Changed", 1) in kinds
    assert ("create", "pods/exec", "Opaque", 1) in kinds
    assert ("delete", "deployments.apps", "Denied", 1) in kinds
    assert sum(count for _, _, _, count in kinds) == len(shown["calls"]) == 5


def test_each_call_is_shown_on_request_with_the_index_that_prove_takes(folder: Path) -> None:
    without, with_calls = session(folder).stdout, session(folder, "--calls").stdout
    (line,) = [
        line for line in with_calls.splitlines() if "deployments.apps/web" in line and "Changed" in line and "[" in line
    ]
    index = line.rpartition("[")[2].rstrip("]")

    assert line not in without
    proof = CliRunner().invoke(
        main, ["audit", "prove", str(folder), index, "--log", ACTIVITY, "--to", "-"], prog_name="curfew"
    )
    assert proof.exit_code == 0
    assert '"patch"' in proof.stdout.replace("\\", "")


def test_the_text_tells_who_what_why_and_from_where(folder: Path) -> None:
    lines = session(folder).stdout.splitlines()

    assert lines[0] == "Session inc-4711 in payments, UID 6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"
    assert "  Who       alice@example.com with ClusterRole payments-debug by policy debug (generation 3)" in lines
    assert any(line.startswith("  Changes   Yes: ") for line in lines)
    assert any(line.startswith("  Recorded  the monitor recorded the same  [") for line in lines)
    assert "  Feed      whole over the time of the access" in lines
    assert "  From      192.0.2.7" in lines
    assert "  Calls     5 calls" in lines


def test_what_is_left_behind_is_listed_until_it_is_deleted(tmp_path: Path) -> None:
    watch = the_watch()
    about = the_session(watch)
    made = a_call(about, "create", "pods", BEGUN + timedelta(seconds=5), name="debug-1")
    watch.see(made)

    left = told(laid(watch, tmp_path / "left"))
    watch.see(a_call(about, "delete", "pods", BEGUN + timedelta(seconds=50), name="debug-1"))
    gone = told(laid(watch, tmp_path / "gone"))

    assert left["answer"]["remains"] == len(left["remains"]) == 1
    assert "debug-1 in payments" in left["remains"][0]
    assert gone["remains"] == []


def test_use_after_the_end_is_an_alert(tmp_path: Path) -> None:
    watch = the_watch()
    watch.see(a_call(the_session(watch), "get", "secrets", ENDED + timedelta(seconds=20), name="db"))
    folder = laid(watch, tmp_path)

    assert [one["event"] for one in told(folder)["alerts"]] == ["alert.used_after_end"]
    assert told(folder, "--calls")["calls"][0]["after_end"]


def test_what_other_systems_wrote_is_beside_the_calls_and_changes_no_answer(tmp_path: Path) -> None:
    watch = the_watch()
    event = ExternalEvent(
        system="postgresql",
        line="ab" * 32,
        at=BEGUN + timedelta(seconds=7),
        action="DROP TABLE",
        object="accounts",
        user="alice",
    )
    watch.append(external_called(event, Tie(the_session(watch), Strength.CLAIMED, TiedBy.PERSON)))
    folder = laid(watch, tmp_path)

    shown, text = told(folder), session(folder, "--calls").stdout
    parsed, html = page(folder, tmp_path)

    assert shown["answer"]["changes"] == "No"
    assert [(one["system"], one["strength"]) for one in shown["elsewhere"]] == [("postgresql", "Claimed")]
    assert "  Elsewhere postgresql: 1 claimed" in text
    assert "alice in postgresql: DROP TABLE on accounts (tied to request inc-4711 by person and time only)" in text
    assert "DROP TABLE on accounts" in parsed.text
    assert "Other systems: 1" in html


# --- the page


def page(folder: Path, tmp_path: Path) -> tuple[Page, str]:
    result = session(folder, "--html", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "page.html").read_text()
    parsed = Page()
    parsed.feed(text)
    return parsed, text


def test_the_page_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    parsed, text = page(folder, tmp_path)

    assert not {"script", "link", "img", "iframe", "object", "base"} & set(parsed.tags)
    assert parsed.sources == []
    assert "url(http" not in text
    assert len(parsed.ids) == len(set(parsed.ids))


def test_the_page_has_a_timeline_of_calls_and_of_the_feed(folder: Path, tmp_path: Path) -> None:
    _, text = page(folder, tmp_path)
    (svg,) = [part + "</svg>" for part in text.split("</svg>") if "<svg" in part]
    drawn = ET.fromstring(svg[svg.index("<svg") :])  # noqa: S314  our own page
    desc = drawn.findtext("{http://www.w3.org/2000/svg}desc", "")

    assert "Feed: the feed was whole" in desc
    assert "Reads: 2" in desc
    assert "Changes: 1" in desc
    assert "Connections: 1; pods/exec web-1, 00:00:02 to 00:00:14" in desc
    assert "Refused: 1" in desc


def test_the_page_says_what_the_text_says(folder: Path, tmp_path: Path) -> None:
    parsed, _ = page(folder, tmp_path)
    shown = told(folder)

    assert "Changes: Yes" in parsed.text
    assert shown["answer"]["summary"] in parsed.text
    assert all(call["message"] in parsed.text for call in told(folder, "--calls")["calls"])


def test_what_a_caller_chose_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    watch = the_watch()
    name = "<script>alert(1)</script>"
    watch.see(
        a_call(the_session(watch), "get", "pods", BEGUN + timedelta(seconds=5), name=name, user_agent=f"\u202e{name}")
    )

    parsed, text = page(laid(watch, tmp_path), tmp_path)

    assert "script" not in parsed.tags
    assert name in parsed.text
    assert "\u202e" not in text


def test_a_page_that_cannot_be_written_is_told_so(folder: Path, tmp_path: Path) -> None:
    result = session(folder, "--html", tmp_path / "no" / "page.html")

    assert result.exit_code == 2
    assert "Choose another file with --html." in " ".join(result.output.split())


# --- what means harm

WRONG = (
    st.none()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.booleans()
    | st.text(max_size=8)
    | st.just("\x1b[31m" * 9)
    | st.lists(st.text(max_size=3))
)


@settings(max_examples=times(40), deadline=None)
@given(st.data())
def test_records_that_a_monitor_would_not_write_end_no_command(data: st.DataObject) -> None:
    """Whoever has the monitor's key can write anything. It is shown or left out, and commands no terminal."""
    watch = the_watch()
    watch.see(*the_calls(watch))
    watch.assess(the_session(watch).uid, SOON)
    for place, record in enumerate(watch.records):
        detail = dict(record.block["detail"])
        for name in data.draw(st.lists(st.sampled_from(sorted(detail)), max_size=3)):
            detail[name] = data.draw(WRONG)
        source = data.draw(
            st.sampled_from([record.block.get("source"), None, {}, {"addresses": [7]}, {"addresses": "::1"}])
        )
        block = {
            **record.block,
            "detail": data.draw(st.sampled_from([detail, detail, detail, None, "", [7]])),
            "source": source,
        }
        watch.records[place] = replace(record, body={**record.body, "unmapped": {"curfew": block}})

    with tempfile.TemporaryDirectory() as folder:
        copy = laid(watch, Path(folder))
        for arguments in (["--calls"], ["-o", "json"], ["--html", f"{folder}/page.html"]):
            result = session(copy, *arguments, "--no-index")
            assert result.exit_code == 0, result.output
            assert "\x1b" not in result.stdout
        advised = CliRunner().invoke(main, ["audit", "advise", str(copy), "debug", "--no-index"], prog_name="curfew")
        assert advised.exit_code == 0, advised.output


# --- what is refused


def test_a_request_that_is_not_in_the_log_is_told_so(folder: Path) -> None:
    result = session(folder, name="inc-1")

    assert result.exit_code == 2
    assert "The log has no request inc-1." in result.stderr


def test_without_a_log_of_activity_the_next_step_is_named(tmp_path: Path) -> None:
    result = session(the_trail().lay(tmp_path / "alone"))

    assert result.exit_code == 3
    assert "There is no log main-activity at " in result.stderr
    assert "`curfew monitor` writes it." in result.stderr


@pytest.mark.parametrize("broken", ["the trail", "the log of activity"])
def test_nothing_is_shown_if_a_log_does_not_verify(broken: str, watch: Watch, tmp_path: Path) -> None:
    trail, activity = the_trail(), sealed(watch)
    alter(trail if broken == "the trail" else activity, 1)

    result = session(activity.lay(trail.lay(tmp_path / "copy")))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "does not verify" in result.stderr


def test_each_log_has_its_own_key(folder: Path, watch: Watch, tmp_path: Path) -> None:
    keys = tmp_path / "keys.pub"
    keys.write_text(f"{the_trail().verifier}\n{sealed(watch).verifier}\n")

    good = session(folder, "--key-file", keys)
    bad = session(folder, "--key", the_trail().verifier, "--activity-key", a_signer(ACTIVITY, seed=9).verifier)

    assert good.exit_code == 0
    assert "No key was given" not in good.stderr
    assert bad.exit_code == 1
