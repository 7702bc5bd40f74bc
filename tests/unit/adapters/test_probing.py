"""Attempts go to the API server without effect, as whoever is to make them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from curfew.adapters.kube import KubeCluster, KubeProber
from curfew.adapters.kube import connection as connections
from curfew.core.probes import Attempt, attempts
from curfew.ports import Forbidden, NotFound, Unavailable
from tests.support.kube import Answer, ApiServer, always, kubeconfig, running, status

pytestmark = pytest.mark.usefixtures("no_system_certificates")

SPACE = "/namespaces/curfew-system"
REQUESTS = f"/apis/curfew.dev/v1alpha1{SPACE}/accessrequests"
LOCKS = "/apis/curfew.dev/v1alpha1/accesslocks"
RESPONSES = "/apis/curfew.dev/v1alpha1/alertresponses"
POLICIES = f"/apis/curfew.dev/v1alpha1{SPACE}/accesspolicies"
BINDINGS = f"/apis/rbac.authorization.k8s.io/v1{SPACE}/rolebindings"
TOKEN = f"/api/v1{SPACE}/serviceaccounts/curfew-probe/token"

ATTEMPTS = {attempt.policy: attempt for attempt in attempts("curfew-system", "curfew-probe")}
DECISION = ATTEMPTS["curfew-request-decision"]
CONTAINMENT = ATTEMPTS["curfew-operator-containment"]


class Issuing(ApiServer):
    """An API server that issues a new token for the probe each time, and takes only the last."""

    issued = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path != TOKEN or self.scripted:
            return await super().handle(request)
        self.issued += 1
        self.scripted = [always(web.Response())]  # it knows no such path, and only notes what was asked
        await super().handle(request)
        return web.json_response({"kind": "TokenRequest", "status": {"token": f"probe-{self.issued}"}})


@pytest.fixture
async def server() -> AsyncIterator[Issuing]:
    api = Issuing()
    async with running(api):
        for collection in (REQUESTS, POLICIES, BINDINGS):
            api.objects[collection] = {}
        api.put(REQUESTS, "curfew-probe")
        api.put(POLICIES, "curfew-canary")
        api.put(BINDINGS, "curfew-probe")
        yield api


@pytest.fixture
async def prober(server: Issuing, tmp_path: Path) -> AsyncIterator[KubeProber]:
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url, {"token": "operator"})) as cluster:
        yield cluster.prober("curfew-system", "curfew-probe")


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_every_attempt_is_without_effect(server: Issuing, prober: KubeProber, attempt: Attempt) -> None:
    assert await prober.attempt(attempt) is None
    asked = server.asked[-1]
    assert asked.query == {"dryRun": "All"}
    assert asked.method == {"create": "POST", "patch": "PATCH", "delete": "DELETE"}[attempt.verb]
    assert asked.headers["Authorization"] == ("Bearer probe-1" if attempt.speaker == "Probe" else "Bearer operator")
    if attempt.verb == "delete":  # the options in the body take the place of the query
        assert asked.body == {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"], **attempt.body}
    else:
        assert asked.body == attempt.body


async def test_where_it_is_tried(server: Issuing, prober: KubeProber) -> None:
    for attempt in ATTEMPTS.values():
        server.put(REQUESTS, "curfew-probe")
        await prober.attempt(attempt)
    assert [asked.path for asked in server.asked if asked.path != TOKEN] == [
        REQUESTS,
        f"{REQUESTS}/curfew-probe/status",
        f"{REQUESTS}/curfew-probe",
        f"{REQUESTS}/curfew-probe",
        BINDINGS,
        POLICIES,
        f"{POLICIES}/curfew-canary/status",
        LOCKS,
        RESPONSES,
        f"{BINDINGS}/curfew-probe",
        f"{REQUESTS}/curfew-probe/status",
        f"{REQUESTS}/curfew-probe",
        f"{REQUESTS}/curfew-probe/status",
    ]


async def test_a_refusal_is_returned_in_the_words_of_the_api_server(server: Issuing, prober: KubeProber) -> None:
    server.scripted = [always(status(403, "Forbidden", "ValidatingAdmissionPolicy 'x' denied request"))]
    assert await prober.attempt(CONTAINMENT) == "ValidatingAdmissionPolicy 'x' denied request"


async def test_what_is_no_refusal_is_raised(server: Issuing, prober: KubeProber) -> None:
    server.objects[BINDINGS].clear()
    with pytest.raises(NotFound):
        await prober.attempt(CONTAINMENT)
    server.scripted = [always(web.Response(status=503))]
    with pytest.raises(Unavailable, match="cannot try deleting, as Curfew, a binding"):
        await prober.attempt(CONTAINMENT)


async def test_one_token_does_for_many_attempts(server: Issuing, prober: KubeProber) -> None:
    await asyncio.gather(*(prober.attempt(DECISION) for _ in range(5)))
    (asked,) = [asked for asked in server.asked if asked.path == TOKEN]
    assert asked.headers["Authorization"] == "Bearer operator"
    assert asked.body["spec"] == {"expirationSeconds": 3600}


async def test_a_token_that_is_refused_is_replaced(
    server: Issuing, prober: KubeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_RENEW_PAUSE", 0.0)
    await prober.attempt(DECISION)
    server.scripted = [always(status(401, "Unauthorized", "Unauthorized")), issue("probe-new")]
    await prober.attempt(DECISION)
    assert server.asked[-1].headers["Authorization"] == "Bearer probe-new"


def issue(token: str) -> Answer:
    """Return an answer that is a token."""
    return always(web.json_response({"kind": "TokenRequest", "status": {"token": token}}))


async def test_no_token_is_no_refusal_by_a_policy(server: Issuing, prober: KubeProber) -> None:
    server.scripted = [always(status(403, "Forbidden", "cannot create resource serviceaccounts/token"))]
    assert await prober.attempt(DECISION) == "cannot create resource serviceaccounts/token"
    server.scripted = [issue("")]
    with pytest.raises(Unavailable, match="cannot get a token for ServiceAccount curfew-system/curfew-probe"):
        await prober.attempt(DECISION)


async def test_a_canary_is_put_there_in_earnest(server: Issuing, prober: KubeProber) -> None:
    server.objects[REQUESTS].clear()
    assert DECISION.canary is not None
    await prober.place(DECISION.canary)
    await prober.place(DECISION.canary)
    assert server.asked[-1].query == {}
    assert server.asked[-1].headers["Authorization"] == "Bearer probe-1"
    assert server.objects[REQUESTS]["curfew-probe"]["spec"]["requester"] == "curfew-probe"
    server.scripted = [always(status(403, "Forbidden", "no"))]
    with pytest.raises(Forbidden):
        await prober.place(DECISION.canary)
