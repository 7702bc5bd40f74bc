"""Audit events of AKS: records of Azure Monitor's diagnostic settings, each with the event as a text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from curfew.core.activity.call import Call
from curfew.core.activity.formats import kubernetes
from curfew.core.activity.formats.documents import event_in
from curfew.core.activity.formats.fields import part, wrong
from curfew.core.activity.formats.forms import EventRefused, Why

_CATEGORIES: Final = ("kube-audit", "kube-audit-admin")


def parts(line: Mapping[str, Any], _: str) -> Sequence[Any]:
    """Return the records of a line: a message of an event hub holds many, a line in a storage account is one."""
    if "records" not in line:
        return [line]
    if not isinstance(line["records"], list):
        raise wrong("records")
    return list(line["records"])


def parse(record: Mapping[str, Any], cluster: str) -> Call:
    """Return the call of one record, or raise `EventRefused`. The cluster is the resource ID, in which case does not count."""
    if record.get("category") not in _CATEGORIES:
        raise EventRefused(Why.NOT_AN_EVENT, "it is no audit log")
    if cluster and str(record.get("resourceId")).casefold() != cluster.casefold():
        raise EventRefused(Why.OTHER_CLUSTER, "it is of another cluster")
    return kubernetes.parse(event_in(part(record, "properties"), "log"))
