"""A real API server sends its audit events to the webhook server, and writes the log file that is followed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from curfew.adapters.intake.files import FileFollower
from curfew.adapters.intake.settings import Begin, FollowSettings, WebhookSettings
from curfew.adapters.intake.webhook import WebhookServer
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, IntakeError, IntakeRefusal, IntakeUnavailable, Overloaded
from tests.support.api import Api
from tests.support.intake import Counted, until
from tests.support.scale import soaks
from tools.servers.audit import SOURCE, AuditFeed
from tools.servers.environment import Environment
from tools.servers.pki import PEOPLE
from tools.servers.ports import LOOPBACK

ALICE: Final = PEOPLE["alice"]
PODS: Final = "/api/v1/namespaces/default/pods"
SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditFeed]:
    feed = AuditFeed(tmp_path_factory.mktemp("feed"))
    yield feed
    feed.close()


@pytest.fixture(scope="module")
def environment(feed: AuditFeed) -> Iterator[Environment]:
    """Return a control plane of its own, whose log file is rotated at one megabyte."""
    arguments = (*feed.apiserver_args, "--audit-log-maxsize=1")
    with Environment(choice="local", bucket_server=False, apiserver_args=arguments) as running:
        yield running


@pytest.fixture(scope="module")
def api(environment: Environment) -> Iterator[Api]:
    calls = Api(environment.cluster)
    yield calls
    calls.close()


class Sent:
    """A sink that reads what an API server sends. It refuses a batch with a certain name in it, and remembers when."""

    def __init__(self, refused: str = "", errors: Sequence[IntakeError] = ()) -> None:
        self.events: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.tries: list[float] = []
        self._refused = refused.encode()
        self._errors = list(errors)

    async def take(self, batch: Batch) -> None:
        assert (batch.source, batch.form) == (SOURCE, Form.KUBERNETES)
        if self._errors and self._refused in batch.body:
            self.tries.append(asyncio.get_running_loop().time())
            raise self._errors.pop(0)
        self.sizes.append(len(batch.body))
        if batch.is_lines:
            self.events += map(json.loads, batch.body.splitlines())
        else:
            body = json.loads(batch.body)
            assert (body["kind"], body["apiVersion"]) == ("EventList", "audit.k8s.io/v1")
            self.events += body["items"]

    def names(self) -> set[str]:
        """Return the names of the pods that alice has asked for."""
        return {
            event["requestURI"].rpartition("/")[2] for event in self.events if event["user"].get("username") == ALICE
        }

    def identities(self) -> set[tuple[str, str, str]]:
        """Return what no two events share."""
        return {(event["auditID"], event["stage"], event["stageTimestamp"]) for event in self.events}


@pytest.fixture
def observer() -> Counted:
    return Counted()


@asynccontextmanager
async def listening(feed: AuditFeed, sink: Sent, observer: Counted, **changes: Any) -> AsyncIterator[WebhookServer]:
    where: dict[str, Any] = {"certificate": feed.certificate, "key": feed.key, "tokens": feed.token} | changes
    async with WebhookServer(WebhookSettings(LOOPBACK, feed.port, **where), sink, observer) as server:
        yield server


async def ask(api: Api, *names: str) -> None:
    """Have alice ask for pods of these names, many at once; she has no rights."""
    room = asyncio.Semaphore(8)

    async def one(name: str) -> None:
        async with room:
            await asyncio.to_thread(api.ask, "GET", f"{PODS}/{name}", user=ALICE)

    await asyncio.gather(*map(one, names))


async def test_each_call_arrives(api: Api, feed: AuditFeed, observer: Counted) -> None:
    sink = Sent()
    names = {f"each-{number}" for number in range(500 if soaks() else 100)}
    async with listening(feed, sink, observer):
        await ask(api, *names)
        await until(lambda: names <= sink.names(), SECONDS)
    assert observer.refusals == {}


async def test_a_batch_is_sent_again_when_the_answer_says_so(api: Api, feed: AuditFeed, observer: Counted) -> None:
    """And more often than the five times that the API server tries by itself."""
    sink = Sent("overloaded", [Overloaded(1.0)] * 6 + [IntakeUnavailable("The bucket is away.")])
    async with listening(feed, sink, observer):
        await ask(api, "overloaded")
        await until(lambda: "overloaded" in sink.names(), SECONDS)
    pauses = [later - sooner for sooner, later in pairwise(sink.tries)]
    assert min(pauses) >= 1
    assert observer.refusals == {
        (IntakeRefusal.OVERLOADED, SOURCE): 6,
        (IntakeRefusal.UNAVAILABLE, SOURCE): 1,
    }


async def test_what_is_refused_while_nobody_is_known_arrives_when_the_token_is_right(
    api: Api, feed: AuditFeed, observer: Counted, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("another-token-than-the-right-one\n")
    sink = Sent()
    async with listening(feed, sink, observer, tokens=tokens, look_seconds=0.02):
        await ask(api, "unknown")
        await until(lambda: observer.times(IntakeRefusal.NOT_AUTHENTICATED), SECONDS)
        tokens.write_bytes(feed.token.read_bytes())
        await until(lambda: "unknown" in sink.names(), SECONDS)
    assert set(observer.refusals) == {(IntakeRefusal.NOT_AUTHENTICATED, "")}


async def test_nothing_is_lost_while_the_certificate_is_exchanged(
    api: Api, feed: AuditFeed, observer: Counted, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(feed.certificate.read_bytes())
    key.write_bytes(feed.key.read_bytes())
    sink = Sent()
    names = [f"exchanged-{number}" for number in range(400)]
    changes = {"certificate": certificate, "key": key, "look_seconds": 0.02}
    async with listening(feed, sink, observer, **changes) as server:
        for begin in range(0, 400, 100):
            await ask(api, *names[begin : begin + 100])
            key.write_bytes(key.read_bytes() + b"\n")  # the same key, in another file
        await until(lambda: set(names) <= sink.names(), SECONDS)
        assert server.trouble == ""
    assert observer.refusals == {}


async def test_events_that_a_caller_makes_huge_take_away_nobody_elses(
    api: Api, feed: AuditFeed, observer: Counted
) -> None:
    """Six of them are 150 MB in one body."""
    sink = Sent()
    huge = [f"{number}{'&' * 1_000_000}" for number in range(6)]
    small = {f"beside-{number}" for number in range(50)}
    async with listening(feed, sink, observer):
        await ask(api, *huge, *small)
        await until(lambda: small <= sink.names(), SECONDS)
        await until(lambda: len([name for name in sink.names() if name.endswith("~", -33, -32)]) == 6, SECONDS)
    assert max(sink.sizes) < 8 * 2**20
    assert not any(reason.loses for reason, _ in observer.refusals)
    assert {name[:9] for name in sink.names() if len(name) > 100} == {f"{number}&&&&&&&&" for number in range(6)}


async def test_the_log_file_is_followed_through_its_rotation_and_holds_what_was_sent(
    environment: Environment, api: Api, feed: AuditFeed, observer: Counted
) -> None:
    log = environment.control_plane.audit_log
    sent, written = Sent(), Sent()
    names = [f"rotated-{number}-{'x' * 2000}" for number in range(800)]  # each is written down twice: three megabytes
    settings = FollowSettings(log, SOURCE, Form.KUBERNETES, log.with_name("position"), Begin.END)
    follower = asyncio.create_task(FileFollower(settings, written, observer).run())
    before = set(log.parent.glob("audit-*.log"))
    async with listening(feed, sent, observer):
        await until(settings.position.exists if settings.position else bool)
        await ask(api, *names)
        await until(lambda: set(names) <= sent.names(), SECONDS)
        await until(lambda: set(names) <= written.names(), SECONDS)
    follower.cancel()
    await asyncio.wait([follower])

    assert len(set(log.parent.glob("audit-*.log")) - before) >= 2
    assert len(written.events) == len(written.identities()), "none comes twice"
    asked = [event for event in written.events if event["user"].get("username") == ALICE]
    assert len(asked) == len(names)
    both = {(event["auditID"], event["stage"]) for event in asked}
    assert both == {
        (event["auditID"], event["stage"]) for event in sent.events if event["user"].get("username") == ALICE
    }


async def test_a_client_certificate_is_enough(
    environment: Environment, api: Api, feed: AuditFeed, observer: Counted
) -> None:
    config = yaml.safe_load(feed.webhook.read_text())
    config["users"][0]["user"] = {
        "client-certificate": str(feed.client_certificate),
        "client-key": str(feed.client_key),
    }
    feed.webhook.write_text(yaml.safe_dump(config))
    sink = Sent()
    async with listening(feed, sink, observer, tokens=None, client_ca=feed.ca, common_names=frozenset({"apiserver"})):
        await asyncio.to_thread(environment.control_plane.restart_apiserver)
        await ask(api, "certified")
        await until(lambda: "certified" in sink.names(), SECONDS)
    assert observer.times(IntakeRefusal.NOT_AUTHENTICATED) == 0
