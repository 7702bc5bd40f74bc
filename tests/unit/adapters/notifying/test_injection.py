"""Whatever people write into names, reasons and tickets arrives in each kind of channel as text: this is what leaves Curfew."""

import html
import json
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
import requests
import yaml

from curfew.adapters.clock import SystemClock
from curfew.adapters.notifying.sending import AppriseNotifier
from curfew.audit.record import PolicyRef, RoleRef
from curfew.core.notifications.message import Message
from curfew.ports.notifier import NotSent
from tests.support.messages import a_message
from tests.support.receiving import http_receiver, mail_receiver

MARKUP = "*bold* _it_ ~gone~ `code` **b** __u__ ||spoiler|| # head"
LINKS = (
    "[click](https://evil.example) <https://evil.example|ok> <a href='https://evil.example'>x</a> "
    "![i](https://evil.example/i.png)"
)
MENTIONS = (
    "@everyone @here @channel @all @room <!channel> <!here> <@U123456> <@123456789012345678> <@&12345> <#C12> "
    "<at>Bob</at>"
)
HTML = "<script>alert(1)</script> <b>x</b> &lt;i&gt; &amp; <users/all>"
TEMPLATES = "{{ 7*7 }} {% for x in 'ab' %}x{% endfor %} {{app_id}} ${HOME} $(id) {title} %s \\n"
FENCES = "```\nout of the fence @everyone\n``` ~~~"
UNSEEN = "a\x00b\x1b[31mc\x07 d\r\ne\u202egnp.exe\u2066x\u200b y\u2028z\x85w \ue000"

LINES = ":smile: - item\n> quote\n1. x\n# head\n| a | b |"

HOSTILE = [
    pytest.param(text, id=name)
    for name, text in {
        "markup": MARKUP,
        "links": LINKS,
        "mentions": MENTIONS,
        "HTML": HTML,
        "templates": TEMPLATES,
        "fences": FENCES,
        "unseen": UNSEEN,
        "lines": LINES,
    }.items()
]

NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff\ue000]")

SIGNS = re.compile(r"[!#$&*<>@\[\\\]^_`{|}~]")
"""What markup, mentions and templates are made of."""


def hostile(text: str) -> Message:
    """Return a message with a text in every place that people can write to."""
    return a_message(
        requester=text,
        submitted_by=f"x{text}",
        reason=text,
        ticket=text,
        policy=PolicyRef(text, "p", 1),
        role=RoleRef(text, text, "r", "00"),
        request=text,
        namespace=text,
        message=text,
        detail={"needed": 2, "stages": [text], "risk": [text]},
    )


class Recorder(requests.adapters.BaseAdapter):  # type: ignore[misc]  # requests publishes no types
    """Keeps what is sent, and answers that all is well."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: Any, *_: Any, **__: Any) -> Any:
        """Keep a request."""
        self.sent.append(request)
        response = requests.Response()
        response.status_code = 200
        response._content = (
            b"ok"
            if "hooks.slack.com" in request.url
            else b'{"ok":true,"access_token":"x","user_id":"@a:b","home_server":"b","room_id":"!r:b"}'
        )
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        """Nothing is open."""

    @property
    def body(self) -> str:
        """Return what was sent last."""
        body = self.sent[-1].body
        return body.decode() if isinstance(body, bytes) else str(body)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Return what takes the place of the network: each channel has an address of its own that cannot be changed."""
    made = Recorder()
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: made)
    return made


async def sends(folder: Path, url: str, message: Message, **route: Any) -> None:
    """Send a message by a route with one address."""
    path = folder / "routes.yaml"
    path.write_text(yaml.safe_dump({"routes": [{"name": "r", "urls": [url], **route}]}))
    notifier = AppriseNotifier(path, SystemClock(), link="https://portal.example.com/{namespace}/{request}")
    assert await notifier.refresh(), notifier.trouble
    (channel,) = notifier.channels(message)
    await notifier.send(channel, [message])


def spelled(text: str) -> str:
    """Return a text as one line, as people are to see it."""
    return " ".join(NEVER.sub("\ufffd", re.sub("[\r\n\u2028\x85]", " ", text)).split())


SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"
SLACK_BOT = "slack://xoxb-1234-1234-abc124/#nuxref"
DISCORD = f"discord://123456789012345678/{'A' * 68}"
MATTERMOST = "mmost://localhost/abcdefghijklmnopqrstuvwxyz"
ZULIP = f"zulip://bot@org/{'a' * 32}/chan"
ROCKET = f"rocket://{'1' * 17}/{'a' * 40}@localhost/#ch"
WEBEX = f"wxteams://{'a' * 80}"
GOOGLE = "gchat://ws/key/token"
TEAMS = f"workflows://prod-1.westus.logic.azure.com:443/{'a' * 32}/{'B' * 30}"
PAGERDUTY = f"pagerduty://{'A' * 32}@{'B' * 20}"


def texts(value: Any) -> Iterator[str]:
    """Yield each text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("url", [SLACK, SLACK_BOT])
async def test_slack_gets_no_markup(tmp_path: Path, recorder: Recorder, url: str, text: str) -> None:
    await sends(tmp_path, url, hostile(text))

    sent = json.loads(recorder.body)
    (attachment,) = sent["attachments"]
    assert sent["mrkdwn"] is False
    assert "mrkdwn_in" not in attachment
    assert "link_names" not in sent
    for part in (attachment["title"], attachment["text"]):
        assert not re.search(r"<|>|&(?!amp;|lt;|gt;)", part)  # the only signs that Slack reads here
        assert not NEVER.search(part)
    assert spelled(text) in html.unescape(attachment["text"])


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("url", "field"), [(DISCORD, "content"), (MATTERMOST, "text"), (ZULIP, "content")])
async def test_what_reads_markdown_gets_one_code_block(
    tmp_path: Path, recorder: Recorder, url: str, field: str, text: str
) -> None:
    await sends(tmp_path, url, hostile(text))

    shown = parse_qs(recorder.body)[field][0] if url is ZULIP else json.loads(recorder.body)[field]
    inner = shown.removeprefix("```\n").removesuffix("\n```")
    assert shown == f"```\n{inner}\n```"
    assert "`" not in inner
    assert not NEVER.search(inner)
    assert spelled(text).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}") in inner.replace("\\:", ":")
    if url is ZULIP:
        assert parse_qs(recorder.body)["topic"] == ["Curfew"]
    else:
        assert [one for one in texts(json.loads(recorder.body)) if "evil" in one or "7*7" in one] in ([], [shown])


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("url", "field"), [(ROCKET, "text"), (WEBEX, "markdown"), (GOOGLE, "text")])
async def test_where_mentions_may_work_in_code_there_are_none_in_it(
    tmp_path: Path, recorder: Recorder, url: str, field: str, text: str
) -> None:
    await sends(tmp_path, url, hostile(text))

    shown = json.loads(recorder.body)[field]
    inner = shown.removeprefix("```\n").removesuffix("\n```")
    assert shown == f"```\n{inner}\n```"
    assert not SIGNS.search(inner)  # such a name gives no command, so nothing else is in it
    assert "://" not in inner.replace("https://portal.example.com/", "")
    assert not NEVER.search(inner)


@pytest.mark.parametrize("text", HOSTILE)
async def test_teams_gets_text_runs(tmp_path: Path, recorder: Recorder, text: str) -> None:
    await sends(tmp_path, TEAMS, hostile(text))

    (attachment,) = json.loads(recorder.body)["attachments"]
    blocks = attachment["content"]["body"]
    assert {block["type"] for block in blocks} == {"RichTextBlock"}  # its text runs know no markup
    assert {run["type"] for block in blocks for run in block["inlines"]} == {"TextRun"}
    assert attachment["content"].keys() == {"$schema", "type", "version", "body", "msteams"}
    assert attachment["content"]["msteams"] == {"width": "full"}  # no entities: nobody is mentioned
    assert spelled(text) in blocks[1]["inlines"][0]["text"]
    assert not any(NEVER.search(run["text"]) for block in blocks for run in block["inlines"])


@pytest.mark.parametrize("text", HOSTILE)
async def test_pagerduty_gets_the_text(tmp_path: Path, recorder: Recorder, text: str) -> None:
    await sends(tmp_path, PAGERDUTY, hostile(text))

    payload = json.loads(recorder.body)["payload"]
    assert spelled(text) in payload["summary"]
    assert payload["severity"] == "warning"
    assert not NEVER.search(payload["summary"].replace("\r\n", "\n"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "url",
    [
        f"ilert://{'a' * 30}",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        f"opsgenie://{'a' * 36}",
        "nctalk://user:pass@localhost/room",
        "lark://abcdefghijklmnopqrst",
    ],
)
async def test_what_is_not_known_gets_no_sign_of_markup(
    tmp_path: Path, recorder: Recorder, url: str, text: str
) -> None:
    with_apprise_own = re.compile(r"\\[-.()+=]|</?b>|&(amp|lt|gt|quot|nbsp|emsp|apos);")
    try:
        await sends(tmp_path, url, hostile(text))
    except NotSent:
        assert "opsgenie" in url  # wants another answer; what was sent counts

    for part in texts(json.loads(recorder.body)):
        if part.startswith(("http", "12315544")):
            continue
        assert not SIGNS.search(with_apprise_own.sub("", part)) or part in ("HTML", "tgram")
        assert not NEVER.search(part.replace("\r\n", "\n"))


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_webhook_gets_the_text(tmp_path: Path, text: str) -> None:
    async with http_receiver() as receiver:
        await sends(tmp_path, receiver.url, hostile(text))

    (sent,) = receiver.got
    assert sent.keys() == {"version", "title", "message", "attachments", "type"}
    assert f"Reason: {spelled(text)}\n" in sent["message"]
    assert f"Ticket: {spelled(text)}\n" in sent["message"]
    assert not NEVER.search(sent["message"])
    assert "\n" not in sent["title"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_xml_and_forms_get_the_text(tmp_path: Path, recorder: Recorder, text: str) -> None:
    await sends(tmp_path, "xml://localhost/x", hostile(text))
    found = [one.text or "" for one in ET.fromstring(recorder.body).iter() if one.tag.endswith("Message")]  # noqa: S314

    await sends(tmp_path, "form://localhost/x", hostile(text))
    form = parse_qs(recorder.body, keep_blank_values=True)

    assert spelled(text) in found[0]
    assert spelled(text) in form["message"][0]
    assert set(form) == {"version", "title", "message", "type"}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["text", "html"])
async def test_a_mail_has_the_text_and_no_header_of_others(tmp_path: Path, form: str, text: str) -> None:
    async with mail_receiver() as receiver:
        url = f"{receiver.url}&to=bob@example.com&format={form}"
        await sends(tmp_path, url, hostile(f"{text}\r\nBcc: mallory@example.com\r\n\r\nbody"))

    (mail,) = receiver.got
    read = message_from_bytes(mail.content, policy=policy.default)
    assert mail.receivers == ["bob@example.com"]
    assert read["Bcc"] is None
    assert read["To"] == "bob@example.com"
    assert "\n" not in read["Subject"]
    parts = {part.get_content_type(): part.get_content() for part in read.walk() if not part.is_multipart()}
    assert spelled(text) in parts["text/plain"]
    assert set(parts) == ({"text/plain"} if form == "text" else {"text/plain", "text/html"})
    if form == "html":
        tags = {tag.lower() for tag in re.findall(r"<\s*/?\s*([^\s>/]+)", parts["text/html"])}
        assert tags <= {"html", "head", "body", "br", "p", "b", "meta", "!doctype", "h1", "title"}


async def test_a_text_is_never_a_template(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        await sends(
            tmp_path,
            receiver.url,
            hostile("{{ 7*7 }}{{ self.__class__ }}{% raw %}"),
            templates={
                "RequestPending": {
                    "title": "T {{ title }}",
                    "body": "{{ text }}|{% for fact in facts %}{{ fact.value if fact.label == 'Who' }}{% endfor %}",
                }
            },
        )

    (sent,) = receiver.got
    assert sent["message"] == "{{ 7*7 }}{{ self.__class__ }}{% raw %}|{{ 7*7 }}{{ self.__class__ }}{% raw %}"
    assert sent["title"].startswith("T Approval needed: {{ 7*7 }}")


async def test_a_link_holds_each_name_quoted(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        await sends(tmp_path, receiver.url, hostile("../x?a=b#c @everyone"))

    assert "https://portal.example.com/..%2Fx%3Fa%3Db%23c%20%40everyone/..%2Fx%3Fa" in receiver.got[0]["message"]
