"""What the page shows of the logs: verified, or said not to be."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from curfew.adapters.clock import SystemClock
from curfew.cli.page import logs
from curfew.cli.page.kept import MOST_KEPT, KeptReadings
from curfew.core.detectors.records import raised
from curfew.reader import parallel
from tests.support.logs import ALog, a_log, a_signer, alter, opened
from tests.support.own_page import HOSTILE, Answered, PageKubectl, served, shown_request
from tests.support.watching import Watch, sealed, the_calls, the_session, the_trail, the_watch
from tests.unit.cli.page.test_views import harmless
from tests.unit.cli.test_alerts import activity as alerted
from tests.unit.cli.test_alerts import an_alert
from tests.vectors.make_vectors import ENDED


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageKubectl:
    """Return the kubectl that the page uses; its cache of the logs is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = PageKubectl(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


async def seen(folder: Path, view: str, key: str | None = None) -> Answered:
    """Return a view, once the logs are read."""
    async with served(folder, key=key) as page:
        while 'content="2"' in (answer := await page.get(view)).text:  # it asks to be loaded again
            pass
        assert answer.status == 200
        harmless(answer.text)
        return answer


def watched(tmp_path: Path) -> tuple[Path, Watch]:
    """Return where the logs lie of a minute of access, and what the monitor made of it."""
    watch = the_watch()
    watch.see(*the_calls(watch))
    watch.assess(the_session(watch).uid, ENDED + timedelta(seconds=3))
    return sealed(watch).lay(the_trail().lay(tmp_path / "copy")), watch


@pytest.mark.parametrize("where", ["here", "in other processes"])
async def test_a_whole_log_is_shown_with_its_newest_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "in other processes":  # as a large log is verified
        monkeypatch.setattr(parallel, "_SMALL", 0)
        monkeypatch.setattr(logs, "processors", lambda: 2)
    log = a_log(3, 2)
    found = (await seen(log.lay(tmp_path / "copy"), "log", str(log.verifier))).html

    assert "The log verifies: every byte, hash and signature of 2 segments with 5 records" in found.text
    assert "No key was given" not in found.text
    assert "alice@example.com holds ClusterRole payments-debug in payments (request inc-4)" in found.text
    assert log.head.range.root().hex() in found.text


async def test_an_altered_log_is_not_shown_as_whole(tmp_path: Path) -> None:
    log = a_log(3, 2)
    alter(log, 0)
    answer = await seen(log.lay(tmp_path / "copy"), "log")

    assert "THE LOG DOES NOT VERIFY" in answer.text
    assert "The log verifies" not in answer.text


async def test_a_log_that_was_cut_off_is_found_by_the_receipts_of_requests(
    kubectl: PageKubectl, tmp_path: Path
) -> None:
    log = a_log(3, 2)
    request = shown_request()
    request["status"]["grant"] = {"receipt": log.receipt(4).to_json()}
    broken = shown_request("inc-2")
    broken["status"]["grant"] = {"receipt": "rubbish"}
    kubectl.hold(request, broken)
    whole = await seen(log.lay(tmp_path / "copy"), "log")
    del log.objects[log.names[-1]]
    cut = await seen(log.lay(tmp_path / "cut"), "log")

    assert "1 anchor kept outside the log; the newest covers the first 5 records" in whole.html.text
    assert "THE LOG DOES NOT VERIFY" in cut.text


async def test_a_log_that_is_not_there_is_no_accusation(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for view in ("log", "alerts", "bottlenecks"):
        answer = await seen(tmp_path / "empty", view)
        assert "could not be read, so nothing is known of it" in answer.text
        assert "verifies" not in answer.html.text


@pytest.mark.parametrize("view", ["alerts", "bottlenecks", "log"])
async def test_without_the_location_of_the_log_the_command_is_shown(view: str) -> None:
    async with served() as page:
        assert "--store s3://BUCKET/PREFIX" in (await page.get(view)).text


async def test_alerts_are_shown_with_what_became_of_them(tmp_path: Path) -> None:
    folder = alerted().lay(a_log(3).lay(tmp_path / "copy"))
    open_, all_ = await seen(folder, "alerts"), await seen(folder, "alerts?everything=1")

    assert "asked for access 4 times in 1h" in open_.text
    assert "a drill" not in open_.text
    assert "carol@example.com resolved it: a drill" in all_.html.text


async def test_what_was_done_with_the_access_is_beside_the_request(kubectl: PageKubectl, tmp_path: Path) -> None:
    folder, watch = watched(tmp_path)
    kubectl.hold(shown_request(uid=the_session(watch).uid))
    answer = await seen(folder, "request?namespace=payments&name=inc-1")

    assert "Changes: Yes" in answer.html.text
    assert "Both logs verify" in answer.html.text
    (drawn,) = (one for one in answer.html.all("svg") if one.get("class") == "chart")
    assert drawn["role"] == "img"
    assert "Changes: 1" in answer.html.text  # what a screen reader says of the timeline


async def test_a_request_that_the_log_does_not_know_is_told_so(tmp_path: Path) -> None:
    folder, _ = watched(tmp_path)
    assert "has no request uid-1" in (await seen(folder, "request?namespace=payments&name=inc-1")).html.text


async def test_bottlenecks_are_those_of_the_commands(tmp_path: Path) -> None:
    folder, _ = watched(tmp_path)
    for days in (7, 30, 90):
        assert f"in the last {days} days" in (await seen(folder, f"bottlenecks?days={days}")).html.text
    assert "in the last 30 days" in (await seen(folder, "bottlenecks?days=999999999999")).html.text


async def test_what_stands_in_a_log_is_text_as_well(tmp_path: Path) -> None:
    log = ALog("main-activity", a_signer("main-activity"))
    log.append(
        [opened(log.signer, "main-activity"), raised(an_alert(who=HOSTILE.replace("\x00", "")), "main-activity")]
    )
    folder = log.lay(a_log(3).lay(tmp_path / "copy"))

    for view in ("alerts", "log"):
        assert "<script>hacked()</script>" in (await seen(folder, view)).html.text


async def test_the_log_is_verified_again_only_if_asked(kubectl: PageKubectl, tmp_path: Path) -> None:
    folder = a_log(3).lay(tmp_path / "copy")
    async with served(folder) as page:
        first = await page.get("log")
        shutil.rmtree(folder / "v1")
        again = await page.get("log")
        asked = await page.get("verify?in=payments")
        after = await page.get("log")

    assert "The log verifies" in first.text
    assert "The log verifies" in again.text
    assert (asked.status, asked.headers["Location"]) == (303, "log?in=payments")
    assert "could not be read" in after.text


async def test_a_page_does_not_wait_for_a_log_that_takes_long() -> None:
    """It shows what was read before, or that it is being read; and one reading is enough for everybody who asks."""
    begun, may_end, reads = Event(), Event(), []

    def read() -> str:
        reads.append("read")
        begun.set()
        may_end.wait()
        return f"answer {len(reads)}"

    with ThreadPoolExecutor(2) as threads:
        kept = KeptReadings(SystemClock(), threads, patience=0.01)
        first = await kept.get("log", read, timedelta(days=1))
        second = await kept.get("log", read, timedelta(days=1))
        assert (first.value, first.is_running, second is first, reads) == (None, True, True, ["read"])
        may_end.set()
        while (await kept.get("log", read, timedelta(days=1))).is_running:
            pass
        assert (first.value, reads) == ("answer 1", ["read"])
        may_end.clear()
        kept.forget("log")
        stale = await kept.get("log", read, timedelta(days=1))
        assert (stale.value, stale.is_running) == ("answer 1", True)
        may_end.set()


async def test_what_is_kept_is_bounded() -> None:
    with ThreadPoolExecutor(1) as threads:
        kept = KeptReadings(SystemClock(), threads)
        for number in range(MOST_KEPT + 10):
            await kept.get(number, partial(str, number), timedelta(days=1))
        reads: list[Any] = []
        await kept.get(MOST_KEPT, lambda: reads.append(1), timedelta(days=1))
        await kept.get(0, lambda: reads.append(0), timedelta(days=1))

    assert reads == [0]
