"""Secrets never: marked ones are put wherever Curfew reads, and looked for wherever it writes (promise P12).

What people write to be read is in the record by design, and holds no mark here: reason, ticket, description, the reason of a
decision, names, the rules of a role, the name of a field manager.
"""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, cast

import pytest
import structlog
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from obstore.exceptions import GenericError

from curfew.adapters.events import Recorder, event_name, render_event
from curfew.adapters.kube.failures import ErrorResponse, cluster_error
from curfew.adapters.logs import configure_logs
from curfew.adapters.objectstore.errors import translate
from curfew.adapters.telemetry import Telemetry
from curfew.core.doctor.bundle import make_bundle
from curfew.core.doctor.facts import ClusterFacts, Unread
from curfew.core.doctor.judging import diagnose
from curfew.core.keys import RequestKey
from curfew.core.notices import Notice
from curfew.ports import ClusterError, Forbidden, StoreUnavailable, Unavailable
from curfew.processes.operator.known import Store
from curfew.processes.operator.reporting import Reporting
from curfew.processes.operator.unreadable import Unreadable
from tests.support.builders import BOB, NOON, a_decision, a_policy, a_request, a_role
from tests.support.scale import times
from tests.support.stage import Stage
from tests.support.world import FailurePlan

marks = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=24).map("S3".__add__)


class Notices(Recorder):
    """Keeps what would be posted as Events."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []

    def post(self, notice: Notice) -> None:
        """Render it."""
        self.posted.append(render_event(notice, event_name(notice), NOON, "curfew-0"))


@contextmanager
def logs() -> Iterator[io.StringIO]:
    """Catch every line at every level, and put things back."""
    root = logging.getLogger()
    handlers, level, loud, lines = root.handlers[:], root.level, logging.raiseExceptions, io.StringIO()
    configure_logs("debug", "json", lines)
    try:
        yield lines
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = loud
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


def marked(body: dict[str, Any], mark: str) -> dict[str, Any]:
    """Return an object with secrets in all that people do not write to be read."""
    hidden = {"password": mark, "data": {"token": mark}}
    meta = {
        **body["metadata"],
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({**body, "data": mark}),
            "vault.example.com/token": mark,
        },
        "labels": {"team": mark},
        "managedFields": [
            {"manager": "kubectl", "operation": "Apply", "time": "2026-11-23T12:00:00Z", "fieldsV1": {f"f:{mark}": {}}}
        ],
        "finalizers": [f"example.com/{mark}"],
    }
    spec = {"spec": {**body["spec"], **hidden}} if "spec" in body else {}
    return {**body, **hidden, **spec, "metadata": meta}


def proxys_page(mark: str) -> ClusterError:
    """Return the error of a proxy that repeats the request to whoever made it."""
    return cluster_error("patch", ErrorResponse(502, f"<html>Authorization: Bearer {mark} {mark}".encode()))


def refusal(mark: str) -> ClusterError:
    """Return the API server's refusal by a webhook which says too much."""
    said = f"denied; sent with Authorization: Bearer {mark} to https://hook:{mark}@hooks/x?token={mark}&sig={mark}"
    details = {"causes": [{"message": mark}]}
    status = {"kind": "Status", "reason": "Forbidden", "message": said, "details": details}
    return cluster_error("create", ErrorResponse(403, json.dumps(status).encode()))


def buckets_answer(mark: str) -> str:
    """Return what is said of a bucket whose client repeats what it sent."""
    text = (
        f"Generic S3 error: Error performing PUT https://s3/audit?X-Amz-Signature={mark} in 1s - Server returned non-2xx "
        f"status code: 403 Forbidden: <Error><Code>AccessDenied</Code><StringToSign>{mark}</StringToSign></Error>\n"
        f"Debug source: headers: authorization {mark}"
    )
    other = f"Generic S3 error: cannot read https://me:{mark}@s3/audit?X-Amz-Security-Token={mark}\n{mark}"
    return " ".join(str(translate(GenericError(said), "v1", "the bucket audit")) for said in (text, other))


async def a_busy_day(stage: Stage, mark: str, failing: int) -> None:
    """Let everything happen that is told of: a grant that is tampered with, refused ones, a binding that will not go."""
    cluster = stage.cluster

    class Page(Unavailable):
        """A call that a proxy answers."""

        def __init__(self, _: str) -> None:
            super().__init__(str(proxys_page(mark)))

    stage.plan_failure(FailurePlan(failing, how=Page))
    cluster.apply(marked(a_role(), mark))
    cluster.apply(marked(a_policy(limits={"activePerRequester": 10, "pendingPerRequester": 10}), mark))
    bodies = [cluster.apply(marked(a_request(f"inc-{number}"), mark)) for number in range(3)]
    await stage.settle()
    for number in range(2):
        cluster.decide(f"inc-{number}", a_decision(BOB, note=mark))
    await stage.settle()
    uid = bodies[0]["metadata"]["uid"]
    cluster.edit_binding(f"curfew-{uid}", lambda b: b["metadata"]["annotations"].update({"curfew.dev/receipt": mark}))
    await stage.settle()
    cluster.refuse_bindings = str(refusal(mark))
    cluster.decide("inc-2", a_decision())
    await stage.settle()
    await stage.pass_time(minutes=1)
    cluster.refuse_removals = str(refusal(mark))
    stage.clock.advance(hours=2)
    for _ in range(3):
        with suppress(Forbidden):
            await stage.reconciler.reconcile(RequestKey(bodies[1]["metadata"]["uid"]))
        stage.clock.advance(seconds=4)
    cluster.refuse_removals = None
    cluster.apply(marked(a_policy(maxDuration="8h"), mark))
    cluster.delete("AccessPolicy", "debug")
    stage.dirty |= {RequestKey(body["metadata"]["uid"]) for body in bodies}
    await stage.settle()


def unreadable(mark: str) -> Unreadable:
    """Return what is said of an object that no schema would have let through."""
    body = a_request()
    body["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    body["spec"] |= {"reason": {"password": mark}, "duration": ["1h", mark]}
    with pytest.raises(Unreadable) as caught:
        Store().see_request(body)
    return caught.value


@settings(
    max_examples=times(100), deadline=None, phases=(Phase.generate,)
)  # the smallest mark says no more than another
@given(mark=marks, failing=st.integers(5, 40))
def test_a_secret_that_is_read_is_written_nowhere(mark: str, failing: int) -> None:
    with logs() as lines:
        notices, telemetry, stage = Notices(), Telemetry(), Stage()
        reporting = Reporting(notices, telemetry)
        stage.told = cast("Any", reporting)  # the real one, in place of the list of what was told
        stage.restart()
        asyncio.run(a_busy_day(stage, mark, failing))
        for error in (proxys_page(mark), refusal(mark), StoreUnavailable(buckets_answer(mark))):
            reporting.failed(RequestKey("uid"), error, timedelta(seconds=1))
        reporting.unreadable(unreadable(mark))
        reporting.trail_changed(ok=False, reason="StoreUnavailable", message=buckets_answer(mark))
        reporting.survey(stage.store, stage.clock.now(), stage.trail.seals, stage.trail.is_told)
        reporting.durable(stage.log)

    statuses = [body.get("status") for kind in ("AccessRequest", "AccessPolicy") for body in stage.cluster.all(kind)]
    for status in statuses:
        for decision in status["decisions"] if status else ():
            decision.pop("note", None)  # it stands where it was put
    written = {
        "records": b"".join(record.line() for record in stage.log).decode(),
        "Events": json.dumps(notices.posted),
        "status": json.dumps(statuses),
        "logs": lines.getvalue(),
        "metrics": telemetry.render(),
        "what is said of the bucket": buckets_answer(mark),
    }
    assert [where for where, text in written.items() if mark in text] == []
    events = {record.event for record in stage.log}
    assert {"grant.drifted", "grant.activation_failed", "grant.removal_failed", "policy.deleted"} <= events
    assert all(written.values())


def installation(mark: str) -> dict[str, Any]:
    """Return objects as the doctor reads them, with secrets in all that an installation may hold."""
    variables = [
        {"name": "AWS_SECRET_ACCESS_KEY", "value": mark},
        {"name": "X", "valueFrom": {"secretKeyRef": {"key": mark}}},
    ]
    container = {
        "name": "operator",
        "image": "curfew:1",
        "command": ["sh", "-c", mark],
        "args": [mark],
        "env": variables,
    }
    template = {"spec": {"containers": [container], "volumes": [{"csi": {"volumeAttributes": {"token": mark}}}]}}

    def one(kind: str, name: str, **spec: Any) -> dict[str, Any]:
        status = {"conditions": [{"type": "Ready", "status": "False", "message": f"Bearer {mark}1"}], "secret": mark}
        body = {"kind": kind, "metadata": {"name": name, "namespace": "curfew-system"}, "spec": spec, "status": status}
        return marked(body, mark)

    policy = marked({"kind": "AccessPolicy", **a_policy()}, mark)
    deployment = one("Deployment", "curfew", replicas=1, template=template)
    return {
        "deployments": [deployment],
        "pods": [one("Pod", "curfew-0", **template["spec"])],
        "cron_job": [
            one("CronJob", "curfew-sweeper", schedule="* * * * *", jobTemplate={"spec": {"template": template}})
        ],
        "lease": [one("Lease", "curfew", holderIdentity="curfew-0")],
        "guards": [one("ValidatingAdmissionPolicy", "curfew-locks", validations=[{"expression": mark}])],
        "policies": [policy],
        "config_maps": [one("ConfigMap", "curfew")],
        "settings": {
            "curfew-system/curfew": {
                "audit": {
                    "url": f"s3://key:{mark}@bucket/main?token={mark}",
                    "forward": {
                        "url": f"https://collector/x?sig={mark}#{mark}",
                        "headers": [f"Authorization: Bearer {mark}"],
                    },
                    "signer": {"uri": "hv:curfew/1", "credentials": {"deep": [{"x": mark}]}},
                },
                "apiToken": mark,
            }
        },
        "metrics": {"curfew-0": f'curfew_build_info{{version="1"}} 1\ncurfew_x{{url="https://a:{mark}@b/"}} 1\n'},
        "unread": [Unread("metrics", f"Authorization: Bearer {mark} was refused")],
    }


@given(mark=marks)
def test_a_bundle_of_the_doctors_has_no_secret(mark: str) -> None:
    """Nor does the report in it, whatever the objects, the settings, the logs and the Events hold."""
    facts = ClusterFacts(namespace="curfew-system", now=NOON, **installation(mark))
    proxys, buckets = str(proxys_page(mark)), buckets_answer(mark)
    log = f"{proxys}\n{buckets}\nAuthorization: Bearer {mark}\npassword={mark}\nhttps://me:{mark}@s3/x?X-Amz-Signature={mark}\n"
    event = marked(
        {"metadata": {"name": "e"}, "reason": "ClockOff", "note": f"token={mark}", "regarding": {"name": "curfew"}},
        mark,
    )
    bundle = make_bundle(diagnose(facts), facts, versions={"kubectl": "v1"}, events=[event], logs={"curfew-0": log})
    text = json.dumps(bundle)
    assert mark not in text
    # What support asks for first is still there.
    for known in ("AWS_SECRET_ACCESS_KEY", "curfew:1", "s3://", "curfew_build_info", "ClockOff", "D002"):
        assert known in text
