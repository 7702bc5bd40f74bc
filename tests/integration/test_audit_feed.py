"""With the example files, a real API server sends what is needed to attribute calls, and no body of a request."""

import json
import queue
import ssl
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest

from curfew.core.activity.call_records import may_remain
from curfew.core.activity.formats.kubernetes import parse
from tests.support.api import Api, succeed
from tools.servers.audit import SOURCE, AuditFeed
from tools.servers.environment import Environment
from tools.servers.pki import ADMIN, PEOPLE
from tools.servers.ports import LOOPBACK

SECONDS: Final = 30.0

ALICE: Final = PEOPLE["alice"]
PODS: Final = "/api/v1/namespaces/default/pods"
SECRETS: Final = "/api/v1/namespaces/default/secrets"

Event = dict[str, Any]


class Listener:
    """Takes what the API server sends to a monitor: path, token, and events."""

    def __init__(self, feed: AuditFeed) -> None:
        self.callers: set[tuple[str, str]] = set()
        self.refusals = 0
        self._events: queue.Queue[Event] = queue.Queue()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                listener.callers.add((self.path.partition("?")[0], self.headers["Authorization"]))
                answer = listener.take(body)
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
                pass

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(feed.certificate, feed.key)
        self._server = ThreadingHTTPServer((LOOPBACK, feed.port), Handler)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def take(self, body: Event) -> HTTPStatus:
        """Take one batch, unless it is to be refused first."""
        assert (body["apiVersion"], body["kind"]) == ("audit.k8s.io/v1", "EventList")
        if self.refusals:
            self.refusals -= 1
            return HTTPStatus.TOO_MANY_REQUESTS
        for event in body["items"]:
            self._events.put(event)
        return HTTPStatus.OK

    def find(self, user: str, verb: str, uri: str, stage: str = "ResponseComplete") -> Event:
        """Return the event of such a call when it arrives."""
        while True:
            event = self._events.get(timeout=SECONDS)
            if (event["user"]["username"], event["verb"], event["requestURI"], event["stage"]) == (
                user,
                verb,
                uri,
                stage,
            ):
                return event

    def close(self) -> None:
        """Hang up."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditFeed]:
    feed = AuditFeed(tmp_path_factory.mktemp("feed"))
    yield feed
    feed.close()


@pytest.fixture(scope="module")
def environment(feed: AuditFeed) -> Iterator[Environment]:
    """Return a control plane of its own, whose API server was started before anybody listened."""
    with Environment(choice="local", bucket_server=False, apiserver_args=feed.apiserver_args) as running:
        yield running


@pytest.fixture(scope="module")
def api(environment: Environment) -> Iterator[Api]:
    calls = Api(environment.cluster)
    yield calls
    calls.close()


@pytest.fixture
def listener(feed: AuditFeed, environment: Environment) -> Iterator[Listener]:
    listening = Listener(feed)
    yield listening
    listening.close()


def test_a_call_arrives_with_the_right_that_allowed_it(
    environment: Environment, api: Api, listener: Listener, feed: AuditFeed
) -> None:
    environment.kubectl("create", "rolebinding", "curfew-x", "--clusterrole=view", f"--user={ALICE}", user=ADMIN)

    api.ask("GET", PODS, user=ALICE)

    event = listener.find(ALICE, "list", PODS)
    assert event["level"] == "Metadata"
    assert event["annotations"]["authorization.k8s.io/reason"] == (
        f'RBAC: allowed by RoleBinding "curfew-x/default" of ClusterRole "view" to User "{ALICE}"'
    )
    assert listener.callers == {(f"/audit/{SOURCE}", f"Bearer {feed.token.read_text()}")}


def test_what_a_monitor_refuses_for_now_is_sent_again(api: Api, listener: Listener) -> None:
    listener.refusals = 2

    api.ask("GET", f"{PODS}/none", user=ALICE)

    assert listener.find(ALICE, "get", f"{PODS}/none")["responseStatus"]["code"] == HTTPStatus.NOT_FOUND
    assert listener.refusals == 0


BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"


@pytest.mark.parametrize("finalizers", [[], ["example.com/keep"]])
def test_the_answer_shows_whether_a_binding_is_gone_or_a_finalizer_keeps_it(
    api: Api, listener: Listener, finalizers: list[str]
) -> None:
    name = "kept" if finalizers else "gone"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "default", "finalizers": finalizers},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }
    succeed(api.create(binding))

    api.ask("DELETE", f"{BINDINGS}/{name}")

    call = parse(listener.find(ADMIN, "delete", f"{BINDINGS}/{name}"))
    assert call.code == HTTPStatus.OK
    assert may_remain(call) is bool(finalizers)
    assert (api.ask("GET", f"{BINDINGS}/{name}").returncode == 0) is bool(finalizers)


def test_no_body_leaves_the_api_server(api: Api, listener: Listener) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"word": "swordfish"}}

    succeed(api.create(secret))

    event = listener.find(ADMIN, "create", f"{SECRETS}?fieldValidation=Strict")
    assert event["objectRef"]["resource"] == "secrets"
    assert "swordfish" not in json.dumps(event)
    assert {"requestObject", "responseObject"}.isdisjoint(event)


def test_a_connection_arrives_when_it_begins(api: Api, listener: Listener) -> None:
    uri = f"{PODS}?watch=true&timeoutSeconds=1"

    api.ask("GET", PODS, user=ALICE, watch="true", timeoutSeconds="1")

    begun = listener.find(ALICE, "watch", uri, stage="ResponseStarted")
    assert listener.find(ALICE, "watch", uri)["auditID"] == begun["auditID"]


def test_the_control_plane_watching_itself_is_not_written_down(environment: Environment) -> None:
    lines = environment.control_plane.audit_log.read_text().splitlines(keepends=True)
    written = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be being written

    own = [event["verb"] for event in written if event["user"]["username"].startswith("system:kube-controller-manager")]
    assert "create" in own
    assert {"get", "list", "watch"}.isdisjoint(own)


def test_each_api_server_is_heard_by_the_renewal_of_its_lease(environment: Environment, listener: Listener) -> None:
    leases = environment.kubectl(
        *("get", "leases", "--namespace=kube-system", "--selector=apiserver.kubernetes.io/identity=kube-apiserver"),
        *("--output=jsonpath={.items[*].metadata.name}",),
        user=ADMIN,
    )
    (name,) = leases.stdout.split()

    uri = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}"
    assert listener.find("system:apiserver", "update", uri)["objectRef"]["name"] == name
