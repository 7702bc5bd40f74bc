"""The API server as Curfew uses it: what is sent, and what each answer comes to mean."""

import asyncio
import datetime
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from curfew.adapters.kube import KubeCluster, NoCluster, find_cluster
from curfew.adapters.kube import cluster as calls
from curfew.adapters.kube import connection as connections
from curfew.api import names
from curfew.ports import AlreadyExists, ClusterError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from tests.support.cluster_contract import SOON
from tests.support.kube import ApiServer, always, kubeconfig, running, status

pytestmark = pytest.mark.usefixtures("no_system_certificates")

REQUESTS = "/apis/curfew.dev/v1alpha1/namespaces/payments/accessrequests"
POLICIES = "/apis/curfew.dev/v1alpha1/namespaces/payments/accesspolicies"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/payments/rolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/payments/roles"
CLUSTER_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running(ApiServer()) as api:
        for collection in (REQUESTS, POLICIES, BINDINGS, ROLES, CLUSTER_ROLES):
            api.objects[collection] = {}
        yield api


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as it:
        yield it


# What is sent.


async def test_a_list_is_read_page_by_page_and_says_what_its_items_are(
    server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_PAGE", 2)
    for number in range(5):
        server.put(BINDINGS, f"curfew-{number}", roleRef={"name": "r"})
    found = await cluster.list_bindings()
    assert [item["metadata"]["name"] for item in found] == [f"curfew-{number}" for number in range(5)]
    assert {item["kind"] for item in found} == {"Thing"}
    assert {item["apiVersion"] for item in found} == {"rbac.authorization.k8s.io/v1"}
    assert [asked.query.get("continue") for asked in server.asked] == [None, "2", "4"]
    assert {asked.query["labelSelector"] for asked in server.asked} == {names.LABEL_REQUEST_UID}


async def test_a_list_whose_pages_are_too_old_is_read_again(
    server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_PAGE", 1)
    server.put(POLICIES, "a")
    server.put(POLICIES, "b")
    page = {"kind": "AccessPolicyList", "apiVersion": "curfew.dev/v1alpha1", "metadata": {"continue": "x"}, "items": []}
    server.scripted = [always(web.json_response(page)), always(status(410, "Expired", "too old"))]
    assert [item["metadata"]["name"] for item in await cluster.list_policies()] == ["a", "b"]


async def test_requests_that_are_closed_are_not_asked_for(server: ApiServer, cluster: KubeCluster) -> None:
    server.put(REQUESTS, "inc-1")
    assert len(await cluster.list_requests()) == 1
    assert server.asked[0].query["labelSelector"] == "!curfew.dev/closed"


async def test_what_is_there_is_returned_and_what_is_not_is_none(server: ApiServer, cluster: KubeCluster) -> None:
    server.put(REQUESTS, "inc-1", spec={"reason": "r"})
    server.put(ROLES, "debug")
    server.put(CLUSTER_ROLES, "system:view")
    request = await cluster.get_request("payments", "inc-1")
    assert request is not None
    assert request["spec"] == {"reason": "r"}
    assert await cluster.get_request("payments", "inc-2") is None
    assert await cluster.get_binding("payments", "curfew-1") is None
    assert await cluster.get_role("Role", "payments", "debug") is not None
    assert await cluster.get_role("ClusterRole", "payments", "debug") is None
    assert await cluster.get_role("ClusterRole", "payments", "system:view") is not None


async def test_a_kind_that_is_not_served_is_not_taken_for_an_object_that_is_gone(
    server: ApiServer, cluster: KubeCluster
) -> None:
    del server.objects[REQUESTS]
    with pytest.raises(NotFound, match=r"cannot read AccessRequest payments/inc-1: .* does not serve this kind"):
        await cluster.get_request("payments", "inc-1")


async def test_a_binding_is_created_as_written(server: ApiServer, cluster: KubeCluster) -> None:
    manifest = {"metadata": {"namespace": "payments", "name": "curfew-1"}, "subjects": [{"kind": "User", "name": "ä"}]}
    stored = await cluster.create_binding(manifest, SOON)
    assert stored["metadata"]["uid"]
    assert server.asked[0].body == manifest
    assert server.asked[0].headers["User-Agent"].startswith("curfew/")
    with pytest.raises(AlreadyExists, match="already exists"):
        await cluster.create_binding(manifest, SOON)


@pytest.mark.parametrize(
    ("within", "asked"), [(3600.0, "4000ms"), (2.5, "2500ms"), (0.0001, "1ms")], ids=["long", "short", "hardly any"]
)
async def test_the_api_server_gives_a_binding_up_before_its_end(
    server: ApiServer, cluster: KubeCluster, within: float, asked: str
) -> None:
    """Zero would mean its own limit, which is longer than we wait."""
    manifest = {"metadata": {"namespace": "payments", "name": "curfew-1"}}
    await cluster.create_binding(manifest, datetime.timedelta(seconds=within))
    assert server.asked[0].query == {"timeout": asked}


async def test_only_the_binding_with_that_uid_is_deleted(server: ApiServer, cluster: KubeCluster) -> None:
    server.put(BINDINGS, "curfew-1", metadata={"uid": "u1"})
    assert await cluster.delete_binding("payments", "curfew-1", "u0") is False
    assert "curfew-1" in server.objects[BINDINGS]
    assert await cluster.delete_binding("payments", "curfew-1", "u1") is True
    assert await cluster.delete_binding("payments", "curfew-1", "u1") is False
    assert server.asked[1].body["preconditions"] == {"uid": "u1"}
    assert server.asked[1].body["propagationPolicy"] == "Background"


async def test_a_status_is_written_to_the_version_that_was_read_and_to_no_other(
    server: ApiServer, cluster: KubeCluster
) -> None:
    read = server.put(REQUESTS, "inc-1", status={"phase": "Pending", "outbox": [1]})["metadata"]
    written = await cluster.patch_request_status(
        "payments", "inc-1", read["uid"], read["resourceVersion"], {"phase": "Active", "outbox": None}
    )
    assert written["status"] == {"phase": "Active"}
    asked = server.asked[0]
    assert asked.path == f"{REQUESTS}/inc-1/status"
    assert asked.headers["Content-Type"] == "application/merge-patch+json"
    assert asked.query == {"fieldValidation": "Strict"}
    with pytest.raises(Conflict, match="modified"):
        await cluster.patch_request_status("payments", "inc-1", read["uid"], read["resourceVersion"], {})


async def test_a_policy_has_its_status_written_too(server: ApiServer, cluster: KubeCluster) -> None:
    read = server.put(POLICIES, "debug")["metadata"]
    status_ = {"risk": ["ReadsSecrets"]}
    written = await cluster.patch_policy_status("payments", "debug", read["uid"], read["resourceVersion"], status_)
    assert written["status"] == status_


async def test_another_request_of_that_name_is_not_labelled_closed(server: ApiServer, cluster: KubeCluster) -> None:
    server.put(REQUESTS, "inc-1", metadata={"uid": "u2"})
    with pytest.raises(Conflict, match="uid"):
        await cluster.label_closed("payments", "inc-1", "u1")
    labelled = await cluster.label_closed("payments", "inc-1", "u2")
    assert labelled["metadata"]["labels"] == {"curfew.dev/closed": "true"}


async def test_an_event_is_created_where_it_says(server: ApiServer, cluster: KubeCluster) -> None:
    await cluster.create_event({"metadata": {"namespace": "payments", "name": "inc-1.00"}})
    assert server.asked[0].path == "/apis/events.k8s.io/v1/namespaces/payments/events"


async def test_names_cannot_lead_a_call_elsewhere(server: ApiServer, cluster: KubeCluster) -> None:
    with pytest.raises(NotFound):
        await cluster.get_binding("payments", "../../secrets/x?watch=1")
    assert server.asked[0].query == {}
    assert server.asked[0].path == f"{BINDINGS}/../../secrets/x?watch=1"  # one name, as the server decoded it


@pytest.mark.parametrize(
    ("served", "missing"),
    [
        ({"accesspolicies", "accessrequests", "accessrequests/status", "accesslocks"}, []),
        ({"accesspolicies", "accesslocks"}, ["accessrequests.curfew.dev"]),
        (None, ["accesspolicies.curfew.dev", "accessrequests.curfew.dev", "accesslocks.curfew.dev"]),
    ],
    ids=["all there", "one missing", "group not served"],
)
async def test_missing_kinds_are_named(
    server: ApiServer, cluster: KubeCluster, served: set[str] | None, missing: list[str]
) -> None:
    if served is not None:
        resources = {"kind": "APIResourceList", "resources": [{"name": name} for name in served]}
        server.scripted = [always(web.json_response(resources))]
    assert await cluster.missing_kinds() == missing


# What each answer means.


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(400, "BadRequest", "bad body"), Invalid, "bad body"),
        (status(401, "Unauthorized", "Unauthorized"), Unavailable, "token or certificate expired"),
        (status(403, "Forbidden", "policy 'x' denied it"), Forbidden, "policy 'x' denied it"),
        (status(409, "Conflict", "modified"), Conflict, "modified"),
        (status(409, "AlreadyExists", "is there"), AlreadyExists, "is there"),
        (status(415, "UnsupportedMediaType", "what is that"), Invalid, "what is that"),
        (status(422, "Invalid", "spec.x: Required"), Invalid, "spec.x: Required"),
        (status(429, "TooManyRequests", "slow down"), Unavailable, "answered 429: slow down"),
        (status(500, "InternalError", "etcd"), Unavailable, "answered 500: etcd"),
        (status(503, "ServiceUnavailable", "starting"), Unavailable, "answered 503: starting"),
        (status(504, "Timeout", "late"), Unavailable, "answered 504: late"),
        (
            web.Response(status=502, text="<html>proxy"),
            Unavailable,
            "answered 502: an answer that is not the API server's own (11 bytes)",
        ),
        (web.Response(status=403), Forbidden, "HTTP 403"),
        (web.Response(text="<html>login"), Unavailable, "cannot be understood"),
        (web.json_response([]), Unavailable, "JSON list"),
        (web.Response(body=b"\xff\xfe"), Unavailable, "cannot be understood"),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, web.Response) else None,
)
async def test_each_refusal_has_its_kind_and_keeps_the_servers_words(
    server: ApiServer, cluster: KubeCluster, answer: web.Response, kind: type[ClusterError], said: str
) -> None:
    server.scripted = [always(answer)]
    with pytest.raises(kind) as caught:
        await cluster.create_binding({"metadata": {"namespace": "payments", "name": "curfew-1"}}, SOON)
    assert said in str(caught.value)
    if kind is Unavailable:
        assert str(caught.value).startswith("cannot create RoleBinding payments/curfew-1: ")


async def test_a_connection_cut_in_the_middle_is_unavailable(server: ApiServer, cluster: KubeCluster) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"kind":')
        assert request.transport is not None
        request.transport.close()
        return response

    server.scripted = [cut]
    with pytest.raises(Unavailable, match="cannot read RoleBinding payments/curfew-1"):
        await cluster.get_binding("payments", "curfew-1")


async def test_silence_is_unavailable(server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    over = asyncio.Event()

    async def nothing(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    monkeypatch.setattr(calls, "_DELETE_DEADLINE", 0.02)
    server.scripted = [nothing]
    with pytest.raises(Unavailable, match=r"cannot delete RoleBinding payments/curfew-1: .* did not answer in time"):
        await cluster.delete_binding("payments", "curfew-1", "u1")
    over.set()


async def test_a_list_of_bindings_without_an_answer_is_given_up_soon(
    cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a start, nothing ends before it is there. Pages of requests are larger, and may take longer."""
    deadlines: list[float] = []

    async def ask(*arguments: Any) -> dict[str, Any]:
        deadlines.append(arguments[5])
        return {"items": []}

    monkeypatch.setattr(calls, "ask", ask)
    await cluster.list_bindings()
    await cluster.list_requests()
    assert deadlines == [calls._DEADLINE, calls._LIST_DEADLINE]


async def test_nobody_there_is_unavailable(tmp_path: Path, unused_tcp_port: int) -> None:
    path = kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{unused_tcp_port}")
    async with KubeCluster.connect(path) as cluster:
        with pytest.raises(Unavailable, match="no answer from the API server"):
            await cluster.list_requests()


async def test_a_closed_cluster_is_unavailable(server: ApiServer, tmp_path: Path) -> None:
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as cluster:
        await cluster.list_bindings()
    with pytest.raises(Unavailable):
        await cluster.list_bindings()


async def test_a_delete_is_never_sent_twice(server: ApiServer, cluster: KubeCluster) -> None:
    """Its second answer would be "gone", and the removal nobody's."""
    server.put(BINDINGS, "curfew-1", metadata={"uid": "u1"})
    await cluster.delete_binding("payments", "curfew-1", "another")  # so that there is a connection to reuse

    async def remove_and_hang_up(request: web.Request) -> web.StreamResponse:
        server.objects[BINDINGS].clear()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    server.scripted = [remove_and_hang_up]
    with pytest.raises(Unavailable):
        await cluster.delete_binding("payments", "curfew-1", "u1")
    assert len(server.asked) == 2


async def test_a_removal_without_an_answer_is_not_followed_by_another_on_a_connection_as_old(
    server: ApiServer, cluster: KubeCluster
) -> None:
    """A load balancer keeps connections to an API server that has died: all that are there are dead (promise P1)."""
    everybody_is_there, connected = asyncio.Barrier(8), set[object]()

    async def together(request: web.Request) -> web.StreamResponse:
        connected.add(request.transport)
        await everybody_is_there.wait()
        return status(404, "NotFound", "no", name="curfew-1")

    async def dead(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if request.transport not in connected:
            return web.json_response({"kind": "Status", "status": "Success"})
        request.transport.close()
        return web.Response()

    server.scripted = [together] * 8
    await asyncio.gather(*(cluster.delete_binding("payments", "curfew-1", "u0") for _ in range(8)))
    assert len(connected) == 8
    server.scripted = [dead] * 8
    with pytest.raises(Unavailable):
        await cluster.delete_binding("payments", "curfew-1", "u1")
    assert await cluster.delete_binding("payments", "curfew-1", "u1") is True


async def test_a_removal_that_the_api_server_refuses_costs_no_connection(
    server: ApiServer, cluster: KubeCluster
) -> None:
    """An answer shows that the connection is alive."""
    seen: list[object] = []

    async def busy(request: web.Request) -> web.StreamResponse:
        seen.append(request.transport)
        return status(429, "TooManyRequests", "later")

    server.scripted = [busy, busy]
    for _ in range(2):
        with pytest.raises(Unavailable):
            await cluster.delete_binding("payments", "curfew-1", "u1")
    assert len(set(seen)) == 1


async def test_no_revocation_waits_behind_other_calls(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_CONNECTIONS", 1)
    over, busy = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        busy.set()
        await over.wait()
        return web.json_response({})

    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as cluster:
        server.put(BINDINGS, "curfew-1", metadata={"uid": "u1"})
        server.scripted = [slow]
        stuck = asyncio.create_task(cluster.list_requests())
        await busy.wait()
        assert await cluster.delete_binding("payments", "curfew-1", "u1") is True
        over.set()
        await stuck


async def test_each_call_is_told_to_the_observer(server: ApiServer, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    begun = time.monotonic()

    def observe(call: str, outcome: str, seconds: float) -> None:
        assert 0 <= seconds <= time.monotonic() - begun
        seen.append((call, outcome))

    path = kubeconfig(tmp_path / "kubeconfig", server.url)
    async with KubeCluster.connect(path, observe=observe) as cluster:
        server.put(BINDINGS, "curfew-1", metadata={"uid": "u1"})
        await cluster.get_binding("payments", "curfew-1")
        await cluster.get_binding("payments", "curfew-2")
        await cluster.delete_binding("payments", "curfew-1", "u0")
        server.scripted = [always(status(500, "InternalError", "etcd"))]
        with pytest.raises(Unavailable):
            await cluster.list_policies()
    assert seen == [
        ("get_binding", "Ok"),
        ("get_binding", "NotFound"),
        ("delete_binding", "Conflict"),
        ("list_policies", "Unavailable"),
    ]


# Who we are.


async def test_a_rotated_token_is_noticed_by_nobody(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_RENEW_PAUSE", 0.0)
    token = tmp_path / "token"
    token.write_text("t1\n")
    server.token = "t1"
    path = kubeconfig(tmp_path / "kubeconfig", server.url, user={"tokenFile": str(token)})
    async with KubeCluster.connect(path) as cluster:
        await cluster.list_bindings()
        token.write_text("t2\n")
        server.token = "t2"
        await asyncio.gather(*(cluster.list_bindings() for _ in range(5)))
        await cluster.list_bindings()
    assert server.asked[-1].headers["Authorization"] == "Bearer t2"


async def test_the_connection_on_which_a_token_was_refused_is_used_again(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the body of the refusal comes after its head: nothing is left behind half read."""
    monkeypatch.setattr(connections, "_RENEW_PAUSE", 0.0)
    path = kubeconfig(tmp_path / "kubeconfig", server.url)
    ports: list[int] = []

    async def refuse_slowly(request: web.Request) -> web.StreamResponse:
        ports.append(request.get_extra_info("peername")[1])
        refusal = web.StreamResponse(status=401)
        await refusal.prepare(request)
        await asyncio.sleep(0.05)
        await refusal.write(b"Unauthorized")
        return refusal

    async def accept(request: web.Request) -> web.StreamResponse:
        ports.append(request.get_extra_info("peername")[1])
        return web.json_response({"kind": "RoleBinding"})

    async with KubeCluster.connect(path) as cluster:
        server.scripted = [refuse_slowly, accept]
        path.write_text(path.read_text().replace("t0", "t1"))
        await cluster.get_binding("payments", "curfew-1")
    assert len(ports) == 2
    assert len(set(ports)) == 1


async def test_a_token_that_stays_refused_is_not_tried_for_ever(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_RENEW_PAUSE", 0.0)
    server.token = "another"
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as cluster:
        with pytest.raises(Unavailable, match="does not accept our credentials"):
            await cluster.list_bindings()
    assert len(server.asked) == 1


async def test_a_pods_token_is_read_again_before_it_is_old(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t1")
    reads = 0

    async def read() -> str:
        nonlocal reads
        reads += 1
        return (tmp_path / "token").read_text()

    fresh = connections.Token("t0", read, max_age=1000)
    assert [await fresh.current(), reads] == ["t0", 0]
    old = connections.Token("t0", read, max_age=0)
    assert [await old.current(), reads] == ["t1", 1]
    (tmp_path / "token").unlink()
    assert await old.current() == "t1"  # the last one that could be read


async def test_a_redirect_does_not_carry_our_token_away(server: ApiServer, cluster: KubeCluster) -> None:
    async with running(ApiServer()) as stranger:
        stranger.scripted = [always(web.json_response({"kind": "Thing"}))]
        server.scripted = [always(web.Response(status=307, headers={"Location": f"{stranger.url}/x"}))]
        await cluster.get_binding("payments", "curfew-1")
        assert "Authorization" in server.asked[0].headers
        assert "Authorization" not in stranger.asked[0].headers


async def test_a_session_for_others_is_authenticated_too(server: ApiServer, cluster: KubeCluster) -> None:
    url, session = await cluster.make_session()
    async with session, session.get(f"{url}{BINDINGS}") as response:
        assert response.status == 200
    assert server.asked[0].headers["Authorization"] == "Bearer t0"
    await cluster.list_bindings()  # closing it closed nothing of ours


# Where it is.


async def test_the_kubeconfig_given_comes_first(server: ApiServer, tmp_path: Path) -> None:
    given = kubeconfig(tmp_path / "given", "http://given:1")
    named = kubeconfig(tmp_path / "named", "http://named:1")
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", "http://home:1")
    environ = {"KUBECONFIG": f"{tmp_path}/absent:{named}"}
    assert (await find_cluster(given, environ=environ, home=tmp_path)).server == "http://given:1"
    assert (await find_cluster(environ=environ, home=tmp_path)).server == "http://named:1"
    assert (await find_cluster(environ={}, home=tmp_path)).server == "http://home:1"


async def test_a_pod_finds_its_cluster(tmp_path: Path) -> None:
    pem, _ = certificate("127.0.0.1", tmp_path)
    (tmp_path / "ca.crt").write_bytes(pem.read_bytes())
    (tmp_path / "token").write_text("t1\n")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    found = await find_cluster(environ=environ, service_account=tmp_path)
    assert found.server == "https://[fd00::1]:6443"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be used"),
        ("[", "cannot be used"),
        ("current-context: x\ncontexts: []\nclusters: []\nusers: []\n", "name x in"),
        ("- 1\n", "cannot be used"),
    ],
    ids=["empty", "not YAML", "no such context", "a list"],
)
async def test_a_bad_kubeconfig_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(NoCluster, match=said) as caught:
        await find_cluster(path)
    assert str(path) in str(caught.value)


async def test_no_cluster_at_all_says_what_would_help(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match="set KUBECONFIG"):
        await find_cluster(environ={}, home=tmp_path)
    with pytest.raises(NoCluster, match="there is no kubeconfig"):
        await find_cluster(tmp_path / "absent")
    with pytest.raises(NoCluster, match="service account"):
        await find_cluster(environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, service_account=tmp_path)


def certificate(host: str, folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate as simple as old clusters have them, and return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    day = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(day - datetime.timedelta(days=1))
        .not_valid_after(day + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pem_key = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, pem_key


async def test_only_a_server_that_our_ca_signed_is_spoken_to(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    pem, key = certificate("127.0.0.1", tmp_path / "ours")
    other, _ = certificate("127.0.0.1", tmp_path / "theirs")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, key)
    async with running(ApiServer(objects={BINDINGS: {}}), tls) as server:
        right: dict[str, Any] = {"certificate-authority": str(pem)}
        async with KubeCluster.connect(kubeconfig(tmp_path / "right", server.url, **right)) as cluster:
            assert await cluster.list_bindings() == []
        wrong: dict[str, Any] = {"certificate-authority": str(other)}
        async with KubeCluster.connect(kubeconfig(tmp_path / "wrong", server.url, **wrong)) as cluster:
            with pytest.raises(Unavailable, match="certificate is not one that our CA signed"):
                await cluster.list_bindings()
        assert len(server.asked) == 1
