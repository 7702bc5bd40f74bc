"""The monitor's calls reach the API server as what they are meant to be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from curfew.adapters.kube import KubeMonitor
from curfew.core.activity.canary_calls import CanaryClass
from curfew.ports import AlreadyExists, DroppedEvents, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from tests.support.kube import ApiServer, always, kubeconfig, status

pytestmark = pytest.mark.usefixtures("no_system_certificates")

SPACE = "/namespaces/curfew-system"
LEASES = "/apis/coordination.k8s.io/v1"
REQUEST = "/apis/curfew.dev/v1alpha1/namespaces/payments/accessrequests/inc-1/status"


@pytest.fixture
async def monitor(server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeMonitor]:
    async with KubeMonitor.connect(kubeconfig(tmp_path / "kubeconfig", server.url), "curfew-system") as cluster:
        yield cluster


async def test_an_answer_is_written_to_exactly_that_request_and_sets_nothing_else(
    server: ApiServer, monitor: KubeMonitor
) -> None:
    server.scripted = [always(status(200, "", ""))]
    await monitor.write_activity("payments", "inc-1", "uid-1", {"changes": "No"})

    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PATCH", REQUEST)
    assert asked.query == {"fieldValidation": "Strict"}
    assert asked.headers["Content-Type"] == "application/json-patch+json"
    assert asked.headers["User-Agent"].startswith("curfew-monitor/")
    assert asked.body == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-1"},
        {"op": "add", "path": "/status/activity", "value": {"changes": "No"}},
    ]


@pytest.mark.parametrize(("code", "error"), [(404, NotFound), (422, Invalid), (503, Unavailable)])
async def test_an_answer_that_cannot_be_written_is_an_error(
    server: ApiServer, monitor: KubeMonitor, code: int, error: type[Exception]
) -> None:
    server.scripted = [always(status(code, "Reason", "no"))]
    with pytest.raises(error):
        await monitor.write_activity("payments", "inc-1", "uid-1", {"changes": "No"})


async def test_the_api_servers_are_those_that_hold_a_lease(server: ApiServer, monitor: KubeMonitor) -> None:
    server.put(f"{LEASES}/namespaces/kube-system/leases", "apiserver-a", spec={"holderIdentity": "apiserver-a_1"})
    server.put(f"{LEASES}/namespaces/kube-system/leases", "apiserver-b", spec={"holderIdentity": "apiserver-b_7"})
    assert await monitor.api_servers() == {"apiserver-a": "apiserver-a_1", "apiserver-b": "apiserver-b_7"}
    assert server.asked[0].query["labelSelector"] == "apiserver.kubernetes.io/identity=kube-apiserver"


@pytest.mark.parametrize(
    ("class_", "method", "path"),
    [
        (CanaryClass.GET, "GET", f"{LEASES}{SPACE}/leases/curfew-monitor"),
        (CanaryClass.LIST_SECRETS, "GET", f"/api/v1{SPACE}/secrets"),
        (CanaryClass.UPDATE, "PUT", f"{LEASES}{SPACE}/leases/curfew-monitor"),
        (CanaryClass.REFUSED, "GET", f"/api/v1{SPACE}/configmaps/curfew-monitor-refused"),
    ],
)
async def test_a_test_call_is_made_under_its_audit_id_whatever_the_answer(
    server: ApiServer, monitor: KubeMonitor, class_: CanaryClass, method: str, path: str
) -> None:
    server.scripted = [always(status(403, "Forbidden", "no"))]
    await monitor.canary(class_, "an-id")

    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["Audit-ID"]) == (method, path, "an-id")


async def test_a_test_call_without_an_answer_was_not_made(server: ApiServer, monitor: KubeMonitor) -> None:
    server.scripted = [always(status(503, "", "later"))]
    with pytest.raises(Unavailable):
        await monitor.canary(CanaryClass.GET, "an-id")


METRICS = """\
# HELP apiserver_audit_error_total [ALPHA] Counter of audit events that failed to be audited properly.
# TYPE apiserver_audit_error_total counter
apiserver_audit_error_total{plugin="log"} 2
apiserver_audit_error_total{plugin="webhook"} 1.5e+01
process_start_time_seconds 1.79621e+09
"""


async def test_the_api_servers_own_count_of_lost_events_is_read(server: ApiServer, monitor: KubeMonitor) -> None:
    server.scripted = [always(web.Response(text=METRICS))]
    assert await monitor.dropped_events() == DroppedEvents("1.79621e+09", 17)
    assert server.asked[0].path == "/metrics"


async def test_without_the_right_to_its_count_that_is_an_error(server: ApiServer, monitor: KubeMonitor) -> None:
    server.scripted = [always(status(403, "Forbidden", "no"))]
    with pytest.raises(Forbidden):
        await monitor.dropped_events()


async def test_a_pod_is_deleted_with_the_time_that_it_has_to_end(server: ApiServer, monitor: KubeMonitor) -> None:
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "uid": "uid-1"}}
    server.scripted = [always(web.json_response(body))]

    assert await monitor.delete_pod("payments", "web") == "uid-1"

    (asked,) = server.asked
    assert (asked.method, asked.path) == ("DELETE", "/api/v1/namespaces/payments/pods/web")
    assert asked.body == {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}


async def test_a_pod_that_was_gone_at_once_has_its_uid_in_the_status(server: ApiServer, monitor: KubeMonitor) -> None:
    """The API server answers so for a pod that runs nowhere."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": {"name": "web", "uid": "uid-1"}}
    server.scripted = [always(web.json_response(body))]

    assert await monitor.delete_pod("payments", "web") == "uid-1"


async def test_a_name_from_an_event_leads_nowhere_else(server: ApiServer, monitor: KubeMonitor) -> None:
    with pytest.raises(NotFound):
        await monitor.delete_pod("payments", "../secrets/x?gracePeriodSeconds=0")

    assert server.asked[0].path == "/api/v1/namespaces/payments/pods/../secrets/x?gracePeriodSeconds=0"
    assert server.asked[0].query == {}


@pytest.mark.parametrize(("code", "error"), [(404, NotFound), (403, Forbidden), (503, Unavailable)])
async def test_a_pod_that_cannot_be_deleted_is_an_error(
    server: ApiServer, monitor: KubeMonitor, code: int, error: type[Exception]
) -> None:
    server.scripted = [always(status(code, "Reason", "no"))]
    with pytest.raises(error):
        await monitor.delete_pod("payments", "web")


RESPONSES = "/apis/curfew.dev/v1alpha1/alertresponses"


async def test_all_answers_to_alerts_are_read_page_by_page(server: ApiServer, monitor: KubeMonitor) -> None:
    first = {"metadata": {"continue": "next"}, "items": [{"kind": "AlertResponse"}, "rubbish"]}
    last = {"metadata": {}, "items": [{"kind": "AlertResponse"}]}
    server.scripted = [always(web.json_response(page)) for page in (first, last)]

    assert len(await monitor.alert_responses()) == 2
    assert [asked.path for asked in server.asked] == [RESPONSES] * 2
    assert [asked.query.get("continue") for asked in server.asked] == [None, "next"]


async def test_large_answers_keep_no_other_from_being_read(
    server: ApiServer, monitor: KubeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curfew.adapters.kube.monitoring._PAGE_BYTES", 1000)
    large = {"metadata": {"name": "x", "annotations": {"a": "x" * 600}}, "kind": "AlertResponse"}
    pages = [
        {"metadata": {}, "items": [large, large]},
        {"metadata": {"continue": "next"}, "items": [large]},
        {"metadata": {}, "items": [large]},
    ]
    server.scripted = [always(web.json_response(page)) for page in pages]

    assert [one["metadata"] for one in await monitor.alert_responses()] == [{"name": "x"}] * 2
    assert [asked.query["limit"] for asked in server.asked] == ["250", "31", "31"]


async def test_more_answers_than_anybody_makes_are_refused(
    server: ApiServer, monitor: KubeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a list would end silences that are there."""
    monkeypatch.setattr("curfew.adapters.kube.monitoring.MOST_RESPONSES", 2)
    page = {"metadata": {"continue": "next"}, "items": [{}, {}]}
    server.scripted = [always(web.json_response(page))]

    with pytest.raises(TooLarge, match="delete those that resolve an alert"):
        await monitor.alert_responses()


async def test_an_event_is_created_where_it_says(server: ApiServer, monitor: KubeMonitor) -> None:
    server.scripted = [always(status(409, "AlreadyExists", "there is one"))]

    with pytest.raises(AlreadyExists):
        await monitor.create_event({"metadata": {"name": "x.1", "namespace": "payments"}})

    assert server.asked[0].path == "/apis/events.k8s.io/v1/namespaces/payments/events"
