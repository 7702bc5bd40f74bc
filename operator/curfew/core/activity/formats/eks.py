"""Audit events of EKS: CloudWatch Logs holds each as a text, and hands them on in batches."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from curfew.core.activity.call import Call
from curfew.core.activity.formats import kubernetes
from curfew.core.activity.formats.documents import event_in
from curfew.core.activity.formats.fields import wrong
from curfew.core.activity.formats.forms import EventRefused, Why

_STREAM: Final = "kube-apiserver-audit"
"""What the name of the log stream begins with; the same group holds the logs of the authenticator and others."""


def parts(line: Mapping[str, Any], cluster: str) -> Sequence[Any]:
    """Return the log events of a line: a subscription's batch, what a query returns, one log event, or its message alone.

    Raise `EventRefused` for the batch of another log, or of another cluster.
    """
    if line.get("messageType") == "CONTROL_MESSAGE":  # only asks whether anybody listens
        return ()
    group, stream = line.get("logGroup"), line.get("logStream", line.get("logStreamName", _STREAM))
    if not str(stream).startswith(_STREAM):
        raise EventRefused(Why.NOT_AN_EVENT, "it is no audit log")
    if cluster and group is not None and group != f"/aws/eks/{cluster}/cluster":
        raise EventRefused(Why.OTHER_CLUSTER, "it is of another cluster")
    for name in ("logEvents", "events"):
        if name in line:
            if not isinstance(line[name], list):
                raise wrong(name)
            return list(line[name])
    return [line]


def parse(log_event: Mapping[str, Any], _: str) -> Call:
    """Return the call of one log event, or raise `EventRefused`."""
    if "message" not in log_event:
        return kubernetes.parse(log_event)
    if not str(log_event.get("logStreamName", _STREAM)).startswith(_STREAM):
        raise EventRefused(Why.NOT_AN_EVENT, "it is no audit log")
    return kubernetes.parse(event_in(log_event, "message"))
