"""Who gets in to the page of `kubectl curfew ui`, and what each answer carries."""

import asyncio
import socket
from pathlib import Path

import pytest

from curfew.cli.page.door import HEADERS, PageDoor
from curfew.cli.page.serving import listen
from tests.support.own_page import PageKubectl, ServedPage, served


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageKubectl:
    """Return the kubectl that the page uses."""
    made = PageKubectl(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


async def said(page: ServedPage, *lines: str) -> str:
    """Send lines as they are, and return the answer's first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    answer = await reader.read()
    writer.close()
    return answer.decode(errors="replace").splitlines()[0]


async def test_nothing_is_there_without_the_token() -> None:
    async with served() as page:
        token = page.token
        wrong = (token[:-1], token + "x", token.swapcase(), "x" * len(token), "\N{SNOWMAN}", "%00", "..")
        paths = ["/", "//", f"//{token}/", f"/{token}", f"/x/{token}/", *(f"/{one}/" for one in wrong)]
        paths += ["/style.css", "/icon.svg", "/favicon.ico", "/request", "/log"]

        answers = [await page.get(path) for path in paths]

    assert len(token) >= 43  # 256 bits
    assert {one.status for one in answers} == {404}
    assert len({one.text for one in answers}) == 1  # nobody learns how near they were
    assert not any(token in one.text for one in answers)


async def test_each_page_has_another_token() -> None:
    assert len({PageDoor(8400).address for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "view", ["nothing", "style.css/", "../style.css", "%2e%2e/style.css", "pages.py", "templates/base.html"]
)
async def test_with_the_token_there_are_only_the_views(view: str) -> None:
    async with served() as page:
        assert (await page.get(f"/{page.token}/{view}")).status == 404


async def test_a_name_of_another_site_that_points_here_is_refused() -> None:
    async with served() as page:
        path, port = f"/{page.token}/", page.port
        good = [f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"]
        bad = [
            "attacker.example",
            f"attacker.example:{port}",
            "127.0.0.1",
            "localhost",
            f"127.0.0.1:{port}.attacker.example",
        ]
        bad += [f"127.0.0.1:{port + 1}", f"user@127.0.0.1:{port}", f"0.0.0.0:{port}", ""]

        for host in good:
            assert "200" in await said(page, f"GET {path} HTTP/1.1", f"Host: {host}")
        for host in bad:
            assert "404" in await said(page, f"GET {path} HTTP/1.1", f"Host: {host}")
        twice = await said(page, f"GET {path} HTTP/1.1", f"Host: {good[0]}", f"Host: {good[0]}")
        without = await said(page, f"GET {path} HTTP/1.0")

    assert "404" in twice or "400" in twice
    assert "404" in without or "400" in without


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_nothing_but_get_is_answered(method: str, kubectl: PageKubectl) -> None:
    async with served() as page:
        before = len(kubectl.asked)
        inside, outside = await page.get(method=method), await page.get("/x/", method=method)

    assert inside.status == 405
    assert outside.status == 404
    assert len(kubectl.asked) == before


async def test_each_answer_forbids_scripts_frames_caching_and_telling_the_address() -> None:
    async with served() as page:
        views = ("", "policies", "style.css", "icon.svg", "nothing", "verify", "/nothing")
        answers = [await page.get(view) for view in views] + [await page.get(method="POST")]

    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe" not in str(policy)
    assert (HEADERS["Referrer-Policy"], HEADERS["Cache-Control"]) == ("no-referrer", "no-store")


def test_it_listens_on_loopback_only() -> None:
    with listen(0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.family == socket.AF_INET
