"""What the page shows of the cluster, and that nothing which somebody wrote there becomes more than text."""

import re
from pathlib import Path
from typing import Final

import pytest

from curfew.cli.page import cluster as page_cluster
from curfew.cli.page.pages import MOST_ROWS
from tests.support.builders import ALICE, BOB, a_policy
from tests.support.own_page import HOSTILE, VIEWS, PageKubectl, ReadHtml, an_event, served, shown_request

FORBIDDEN: Final = {"script", "style", "iframe", "object", "embed", "base", "frame", "template"}


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageKubectl:
    """Return the kubectl that the page uses."""
    made = PageKubectl(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


def harmless(text: str) -> ReadHtml:
    """Return a page that was read, after it was looked at for what could do something."""
    found = ReadHtml.of(text)
    assert found.faults == []
    assert not FORBIDDEN & {tag for tag, _ in found.elements}
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
    for address in found.addresses:
        assert re.fullmatch(r"[a-z.]*(\?[A-Za-z0-9=&%*._+-]*)?|#main", address), address
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    return found


@pytest.mark.parametrize("view", VIEWS)
async def test_each_view_is_whole_html_with_what_a_screen_reader_needs(view: str) -> None:
    async with served() as page:
        answer = await page.get(view)

    found = harmless(answer.text)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert found.elements[0] == ("html", {"lang": "en"})
    assert [len(found.all(tag)) for tag in ("title", "main", "h1", "nav", "header", "footer")] == [1] * 6
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(head.get("scope") == "col" for head in found.all("th"))
    labels = {one["for"] for one in found.all("label")}
    assert {one["id"] for one in found.all("input")} == labels
    assert all("alt" in image for image in found.all("img"))


async def test_requests_are_in_groups_with_times_both_ways(kubectl: PageKubectl) -> None:
    async with served() as page:
        found = harmless((await page.get()).text)

    assert re.search(r"in 41 min 5\d s|in 4[12] min", found.text)
    assert re.search(r"\d\d:\d\d UTC", found.text)
    assert "1 approval (owners)" in found.text
    assert f"You are {BOB} · context prod" in found.text
    (asked,) = (line for line in kubectl.asked if "accessrequests" in line)
    assert "--field-selector=status.phase!=Denied" in asked  # thousands may be over


async def test_what_is_over_is_shown_on_request(kubectl: PageKubectl) -> None:
    kubectl.hold(shown_request("inc-9", "Expired"))
    async with served() as page:
        few, all_ = await page.get(), await page.get("?everything=1")

    assert "Show the requests that are over" in few.text
    assert "ReleasedByRequester" in all_.text
    assert "field-selector" not in kubectl.asked[-1]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("", "get accessrequests.curfew.dev --field"),
        ("?in=shop", "--namespace=shop "),
        ("?in=*", "--all-namespaces "),
        ("?in=--as=admin", "get accessrequests.curfew.dev --field"),
        ("?in=a%20--token=x", "get accessrequests.curfew.dev --field"),
        ("?in=../x", "get accessrequests.curfew.dev --field"),
    ],
)
async def test_only_a_namespace_reaches_kubectl(query: str, where: str, kubectl: PageKubectl) -> None:
    async with served() as page:
        assert (await page.get(query)).status == 200

    assert where in kubectl.asked[-1]


@pytest.mark.parametrize(
    "query", ["", "?namespace=payments", "?name=x", "?namespace=-n&name=x", "?namespace=p&name=--all"]
)
async def test_an_object_needs_a_name_that_an_object_can_have(query: str, kubectl: PageKubectl) -> None:
    async with served() as page:
        before = len(kubectl.asked)
        answers = [await page.get(f"{view}{query}") for view in ("request", "policy")]

    assert [one.status for one in answers] == [404, 404]
    assert len(kubectl.asked) == before


async def test_one_request_shows_its_story_and_the_next_step() -> None:
    async with served() as page:
        found = harmless((await page.get("request?namespace=payments&name=inc-1")).text)

    assert f"{BOB} approved it for stage owners: on call" in found.text
    assert "kubectl curfew cancel inc-1 -n payments" in found.text
    assert "ExecsIntoPods" in found.text
    assert "curfew audit session s3://BUCKET/PREFIX payments/inc-1" in found.text  # without --store


async def test_policies_that_are_open_to_the_caller_are_told_apart(kubectl: PageKubectl) -> None:
    async with served() as page:
        mine = (await page.get("policies")).text
        kubectl.allow(everything=False)
        others = (await page.get("policies")).text

    assert mine.count(">open<") == others.count(">not yours<") == 2


async def test_a_policy_shows_its_rules_and_how_to_ask(kubectl: PageKubectl) -> None:
    async with served() as page:
        found = harmless((await page.get("policy?namespace=payments&name=debug")).text)

    assert "get and list pods, pods/log" in found.text.replace("get, list", "get and list")
    assert "kubectl curfew request debug -n payments --for 30m" in found.text


async def test_what_the_caller_may_not_read_is_not_tried(kubectl: PageKubectl) -> None:
    """A refused call is recorded as one, and a page that loads again and again would look like somebody who probes."""
    kubectl.allow(everything=False)
    async with served() as page:
        found = harmless((await page.get("policy?namespace=payments&name=debug")).text)

    assert "You may not read the role" in found.text
    assert "others cannot be named" in found.text
    assert not [line for line in kubectl.asked if "rbac.authorization" in line]


async def test_a_refusal_is_told_with_the_next_step(kubectl: PageKubectl) -> None:
    kubectl.refuse(
        'Error from server (Forbidden): accessrequests.curfew.dev is forbidden: User "bob" cannot list resource '
        '"accessrequests" in API group "curfew.dev" in the namespace "payments"'
    )
    async with served() as page:
        for view in ("", "policies", "alerts", "request?namespace=payments&name=inc-1"):
            answer = await page.get(view)
            assert answer.status == 200
            assert "This cannot be shown to you" in harmless(answer.text).text
            assert "You have no right to list accessrequests in namespace payments" in answer.html.text


async def test_the_alerts_of_the_cluster_are_shown_without_the_log(kubectl: PageKubectl) -> None:
    kubectl.answer("events", {"items": [an_event("alert 0123456789ab (High): x asked"), an_event("the grant waits")]})
    async with served() as page:
        found = harmless((await page.get("alerts")).text)

    assert "x asked" in found.text
    assert "the grant waits" not in found.text
    assert "--store" in found.text


# --- what others wrote


async def test_nothing_that_somebody_wrote_becomes_more_than_text(kubectl: PageKubectl) -> None:
    kubectl.answer("whoami", {"status": {"userInfo": {"username": HOSTILE}}})
    kubectl.answer("config", {"contexts": [{"name": HOSTILE, "context": {"namespace": HOSTILE}}]})
    bad = {"requester": HOSTILE, "submittedBy": HOSTILE, "reason": HOSTILE, "ticket": HOSTILE, "duration": HOSTILE}
    requests = [
        shown_request(f"inc-{phase.lower()}", phase, policyName=HOSTILE, **bad) for phase in ("Active", "Pending")
    ]
    requests.append(shown_request("inc-odd", HOSTILE))
    for one in requests:
        one["metadata"] |= {"name": HOSTILE, "namespace": HOSTILE}
        one["status"] |= {"decisions": [{"by": HOSTILE, "decision": HOSTILE, "stage": HOSTILE, "reason": HOSTILE}]}
        one["status"] |= {
            "activity": {"changes": HOSTILE, "summary": HOSTILE},
            "endReason": HOSTILE,
            "approvals": HOSTILE,
        }
        one["status"]["terms"] |= {
            "risk": [HOSTILE],
            "role": {"kind": HOSTILE, "name": HOSTILE},
            "stages": [{"name": HOSTILE}],
        }
        one["status"]["conditions"] = [
            {"type": kind, "status": "True", "message": HOSTILE} for kind in ("Ready", "Active")
        ]
    policy = a_policy("debug", description=HOSTILE, maxDuration=HOSTILE, ticket={"required": True, "pattern": HOSTILE})
    policy["metadata"] |= {"name": HOSTILE, "namespace": HOSTILE}
    policy["spec"]["roleRef"] = {"kind": HOSTILE, "name": HOSTILE}
    policy["spec"]["approval"] = {"stages": [{"name": HOSTILE, "groups": [HOSTILE]}]}
    policy["status"] = {"risk": [HOSTILE], "conditions": [{"type": "Ready", "status": "False", "message": HOSTILE}]}
    kubectl.hold(*requests)
    kubectl.offer(policy)
    kubectl.answer("events", {"items": [an_event(f"alert 0123456789ab (High): {HOSTILE}", HOSTILE)]})
    kubectl.answer(
        "role",
        {"metadata": {"uid": HOSTILE}, "rules": [{key: [HOSTILE] for key in ("verbs", "apiGroups", "resources")}]},
    )

    async with served() as page:
        for view in VIEWS:
            answer = await page.get(view)
            assert answer.status == 200
            found = harmless(answer.text)
            assert "<script>hacked()</script>" in found.text  # it is shown, as text
            assert "{{7*7}}" in answer.text or "49" not in found.text


async def test_a_refusal_with_markup_is_text_as_well(kubectl: PageKubectl) -> None:
    kubectl.refuse(f"Error from server (Forbidden): {HOSTILE}".replace("\x00", ""))
    async with served() as page:
        assert "<script>hacked()</script>" in harmless((await page.get()).text).text


async def test_answers_of_another_kind_end_nothing(kubectl: PageKubectl) -> None:
    async with served() as page:
        for body in (
            "[]",
            '"x"',
            "null",
            '{"items": 7}',
            '{"items": [null, 7, {"spec": [], "status": "x", "metadata": 1}]}',
        ):
            for what in ("requests", "request", "policies", "policy", "events"):
                kubectl.answer(what, body)
            for view in VIEWS:
                assert (await page.get(view)).status == 200


async def test_tables_and_answers_are_bounded(kubectl: PageKubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl.hold(*(shown_request(f"inc-{number}") for number in range(MOST_ROWS + 50)))
    async with served() as page:
        found = harmless((await page.get()).text)
    monkeypatch.setattr(page_cluster, "ANSWER_BYTES", 2**20)
    kubectl.hold(shown_request("inc-1", reason="x" * 2**21))
    async with served() as page:
        too_much = harmless((await page.get()).text)

    assert f"The first {MOST_ROWS} of {MOST_ROWS + 50}" in found.text
    assert len([one for one in found.addresses if "name=inc-" in one]) == MOST_ROWS
    assert "answered with more than 1 MiB" in too_much.text


async def test_a_cluster_that_does_not_answer_holds_nobody_up(
    kubectl: PageKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_cluster, "SECONDS", 0.2)
    async with served() as page:
        kubectl.program.write_text("#!/bin/sh\nexec sleep 600\n")
        found = harmless((await page.get()).text)

    assert "did not answer within 0.2 s" in found.text


async def test_it_refreshes_only_if_asked_to() -> None:
    async with served() as page:
        still, moving = await page.get("?in=shop"), await page.get("?in=shop&refresh=1")
        of_one = await page.get("request?namespace=payments&name=inc-1&refresh=1")

    assert 'http-equiv="refresh"' not in still.text
    assert {"http-equiv": "refresh", "content": "15"} in moving.html.all("meta")
    assert "?in=shop&refresh=1" in list(still.html.addresses)[-1]
    assert list(moving.html.addresses)[-1] == ".?in=shop"
    assert list(of_one.html.addresses)[-1] == "request?namespace=payments&name=inc-1"
    assert ALICE in of_one.html.text
