"""The page in a real Chromium: without scripts, light and dark, wide and narrow, with all that is hostile in it.

`make browser` runs this. axe-core looks for what keeps people from using a page.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.chromium import Chromium, Tab
from tests.support.builders import a_policy
from tests.support.logs import a_log
from tests.support.own_page import HOSTILE, VIEWS, PageKubectl, ServedPage, served, shown_request
from tests.support.watching import sealed, the_calls, the_session, the_trail, the_watch
from tests.vectors.make_vectors import ENDED
from tools.servers.npm import axe

NARROWEST: Final = 320
"""As wide as a page is at 400 %, at which everything has to be legible still (WCAG 1.4.10)."""

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="session")
def axe_script() -> str:
    """Return axe-core; before a test has a cache folder of its own."""
    return axe().read_text()


@pytest.fixture
def kubectl(axe_script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageKubectl:
    """Return the kubectl that the page uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = PageKubectl(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


@pytest.fixture
def logs(kubectl: PageKubectl, tmp_path: Path) -> Path:
    """Return where both logs lie of a minute of access, of which the cluster has the request."""
    watch = the_watch()
    watch.see(*the_calls(watch))
    watch.assess(the_session(watch).uid, ENDED)
    kubectl.hold(shown_request(uid=the_session(watch).uid), shown_request("inc-2", "Pending", uid="uid-2"))
    return sealed(watch).lay(the_trail().lay(tmp_path / "copy"))


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    """Open a page in a browser that lets no page run a script."""
    async with Chromium.started() as browser:
        tab = await browser.tab()
        await tab.scripts(allowed=False)
        yield tab


async def load(tab: Tab, page: ServedPage, view: str) -> None:
    """Load a view, and again as long as it says that the logs are being read."""
    await tab.go(page.address + view)
    while await tab.evaluate("document.querySelector('meta[http-equiv=refresh][content=\"2\"]') !== null"):
        await tab.go(page.address + view)


async def looked_at(tab: Tab, script: str) -> list[str]:
    """Return what axe-core finds on the page that is shown."""
    await tab.scripts(allowed=True)
    await tab.evaluate(script)
    options = json.dumps({"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    found: dict[str, Any] = json.loads(
        await tab.evaluate(
            f"axe.run({options}).then(({{violations, passes}}) => JSON.stringify({{violations, passes: passes.length}}))"
        )
    )
    assert found["passes"] > 15  # or it has looked at nothing
    await tab.scripts(allowed=False)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "narrow"])
async def test_axe_finds_nothing_on_any_view(width: int, dark: bool, tab: Tab, logs: Path, axe_script: str) -> None:
    found = {}
    async with served(logs) as page:
        await tab.show(width=width, dark=dark, phone=width < 500)
        for view in VIEWS:
            await load(tab, page, view)
            found[view] = await looked_at(tab, axe_script)
    assert {view: faults for view, faults in found.items() if faults} == {}
    assert tab.errors == []  # nothing was refused by the page's own policy


async def test_axe_finds_nothing_where_something_is_wrong(
    tab: Tab, kubectl: PageKubectl, axe_script: str, tmp_path: Path
) -> None:
    altered = a_log(3, 2)
    del altered.objects[altered.names[0]]
    found = {}
    await tab.show(width=1280)
    async with served(altered.lay(tmp_path / "copy")) as page:
        await load(tab, page, "log")
        found["altered"] = await looked_at(tab, axe_script)
    async with served() as page:
        await load(tab, page, "log")
        found["not named"] = await looked_at(tab, axe_script)
        kubectl.answer("requests", {"items": []})
        await load(tab, page, "?everything=1")
        found["nothing there"] = await looked_at(tab, axe_script)
        kubectl.refuse("error: You must be logged in to the server (Unauthorized)")
        await load(tab, page, "")
        found["refused"] = await looked_at(tab, axe_script)
    assert {kind: faults for kind, faults in found.items() if faults} == {}


async def test_nothing_is_cut_off_on_a_narrow_screen(tab: Tab, logs: Path, kubectl: PageKubectl) -> None:
    kubectl.hold(shown_request(requester="x" * 200, reason="y" * 300, ticket="z" * 200, policyName="p" * 250))
    async with served(logs) as page:
        for width in (NARROWEST, 390, 768, 1280):
            await tab.show(width=width, phone=width < 500)
            for view in VIEWS:
                await load(tab, page, view)
                wide = await tab.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (view, width)


async def test_what_is_hostile_runs_nothing_and_loads_nothing(tab: Tab, kubectl: PageKubectl) -> None:
    """With scripts allowed: the page's own policy stops what might have become more than text."""
    bad = {"requester": HOSTILE, "submittedBy": HOSTILE, "reason": HOSTILE, "ticket": HOSTILE}
    kubectl.hold(shown_request(policyName=HOSTILE, **bad), shown_request("inc-2", "Pending", **bad))
    kubectl.offer(a_policy(description=HOSTILE))
    async with served() as page:
        await tab.scripts(allowed=True)
        for view in VIEWS:
            await tab.go(page.address + view)
            assert await tab.evaluate("document.scripts.length + document.querySelectorAll('img[src=x]').length") == 0
            if not view.startswith(("alerts", "bottlenecks", "log")):
                assert "hacked()" in await tab.evaluate("document.body.innerText")
            await tab.evaluate(
                "document.body.insertAdjacentHTML('beforeend', '<img src=//192.0.2.1/x onerror=hacked()>')"
            )
            refused = await tab.evaluate("fetch('style.css').then(() => 'answered', () => 'refused')")
            assert refused == "refused"
        assert await tab.evaluate("typeof hacked") == "undefined"
        assert await tab.evaluate("document.cookie + localStorage.length + sessionStorage.length") == "00"


async def test_people_get_along_with_the_keyboard_and_without_scripts(tab: Tab, logs: Path) -> None:
    async with served(logs) as page:
        await tab.show(width=1280)
        await tab.go(page.address)
        await tab.key("Tab")
        assert await tab.evaluate("document.activeElement.textContent") == "Skip to the content"
        await tab.key("Tab")
        await tab.key("Tab")
        await tab.key("Tab")
        assert await tab.evaluate("document.activeElement.textContent") == "Policies"
        await tab.enter()
        assert await tab.evaluate("document.title") == "Policies · Curfew"
        assert await tab.evaluate("document.querySelector('[aria-current=page]').textContent") == "Policies"
        await tab.evaluate("document.getElementById('in').value = 'shop'; document.getElementById('in').focus()")
        await tab.enter()
        assert (await tab.evaluate("location.search")) == "?in=shop"


@pytest.mark.usefixtures("kubectl")
async def test_the_address_is_told_to_nobody_that_a_link_leads_to(tab: Tab) -> None:
    async with served() as page:
        await tab.scripts(allowed=True)
        await tab.go(page.address)
        await tab.go(page.address + "policies")
        assert await tab.evaluate("document.referrer") == ""
