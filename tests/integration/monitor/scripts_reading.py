"""Sessions that only look: reads, watches, and connections that nobody sees into."""

from typing import Final
from unittest.mock import ANY

from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.scripted_setting import SETTINGS
from tests.integration.monitor.steps import admin, begins, hangs_up, refused, runs, types

DATABASE: Final = admin("create secret generic db --from-literal=password=swordfish")

READING: Final = (
    Script(
        "no use at all",
        steps=(),
        answer=Answer("No", "the access was not used", sources=()),
        log={},
    ),
    Script(
        "only reads",
        before=(SETTINGS,),
        steps=(types("get pods"), types("get configmaps"), types("get configmap settings -o yaml")),
        answer=Answer("No", "read one object and 2 lists", reads=3),
        log={"call.read": 3},
        cancels=True,
    ),
    Script(
        "a secret is read",
        before=(DATABASE,),
        steps=(types("get secret db -o yaml"),),
        answer=Answer("No", "read one object", reads=1, sensitive=("Secrets",)),
        log={"call.read": 1},
    ),
    Script(
        "a watch and nothing else",
        steps=(begins("get pods --watch-only", "watch"), hangs_up),
        answer=Answer("No", "read", reads=2),
        log={"call.read": 2, "stream.opened": 1},
    ),
    Script(
        "a watch that goes on after the end",
        steps=(begins("get pods --watch-only", "watch"),),
        first=Answer("Unknown", "one stream still open", reads=2, reasons=("1 stream that only reads is still open",)),
        then=(hangs_up,),
        answer=Answer("No", "read", reads=2),
        log={"call.read": 2, "stream.opened": 1, "alert.stream_open_at_end": 1},
    ),
)

CONNECTIONS: Final = (
    Script(
        "exec, refused",
        role="view",
        before=(runs("web"),),
        steps=(refused("exec web -- sh", "forbidden"),),
        # kubectl tries both ways, WebSocket and SPDY.
        answer=Answer("No", "read one object, 2 calls refused", reads=1, denied=2),
        log={"call.read": 1, "call.refused": 2},
    ),
    Script(
        "exec",
        before=(runs("web"),),
        steps=(begins("exec web -- sh", "exec"), hangs_up),
        answer=Answer(
            "Unknown",
            "read one object, one exec",
            reads=1,
            opaque=1,
            sensitive=("Exec",),
            reasons=("no change through the API; 1 exec",),
        ),
        log={"call.read": 1, "stream.opened": 1, "call.connected": 1},
    ),
    Script(
        "exec that goes on after the end",
        before=(runs("web"),),
        steps=(begins("exec web -- sh", "exec"),),
        first=Answer(
            "Unknown",
            "one exec (still open)",
            reads=1,
            opaque=1,
            sensitive=("Exec",),
            reasons=("no change through the API; 1 exec (still open)",),
        ),
        then=(hangs_up,),
        answer=Answer(
            "Unknown",
            "one exec",
            reads=1,
            opaque=1,
            sensitive=("Exec",),
            reasons=("no change through the API; 1 exec",),
        ),
        log={"call.read": 1, "stream.opened": 1, "call.connected": 1, "alert.stream_open_at_end": 1},
    ),
    Script(
        "attach and port-forward",
        before=(runs("web"),),
        steps=(
            begins("attach web --stdin", "attach"),
            hangs_up,
            begins("port-forward web :80", "portforward"),
            hangs_up,
        ),
        answer=Answer(
            "Unknown",
            "one attach, one port-forward",
            reads=ANY,
            opaque=2,
            sensitive=("Attach", "PortForward"),
            reasons=("no change through the API; 1 attach",),
        ),
        log={"call.read": ANY, "stream.opened": 2, "call.connected": 2},
    ),
    Script(
        # The answer may be the pod's own: it proves nothing about what the pod did before.
        "a call through the proxy of a pod, which is answered with an error",
        before=(runs("web"),),
        steps=(refused("get --raw /api/v1/namespaces/{ns}/pods/web/proxy/", "BadRequest"),),
        answer=Answer(
            "Unknown",
            "one proxied call",
            opaque=1,
            sensitive=("Proxy",),
            reasons=("no change through the API; 1 proxied call",),
        ),
        log={"stream.opened": ANY, "call.connected": 1},
    ),
)
