"""Which pods a grant's end deletes, if its policy has `onEnd: DeletePods`: those with connections that outlast the grant.

Deleting a pod is the only way to end a connection into it: the API server does not look at a right again once it has let a
connection through. The pods are those of open exec, attach and port-forward, and those with ephemeral containers that the
session added. Only pods in the grant's own namespace are deleted: its policy has no say in any other.
"""

from dataclasses import dataclass
from typing import Final

from curfew.api.access_policy import OnEnd
from curfew.core.activity.effect import Effect
from curfew.core.activity.remains import CONTAINERS
from curfew.core.activity.session import Session
from curfew.core.activity.tally import SessionTally

MOST_PODS: Final = 20
"""How many pods are deleted for one session: what somebody did not want to be deleted is not all there is."""

_CONNECTIONS: Final = {"exec": "exec", "attach": "attach", "portforward": "port-forward"}


@dataclass(frozen=True, slots=True)
class OpenPod:
    """A pod that a session can still act in, and by what: `exec`, or `ephemeral container`."""

    namespace: str
    name: str
    by: str


def open_pods(session: Session, tally: SessionTally) -> tuple[OpenPod, ...]:
    """Return the pods that have to be deleted now, those that were first acted in before the others.

    Nothing before the end, or under another policy, and no pod whose deletion the log holds.
    """
    if not session.is_over or session.on_end is not OnEnd.DELETE_PODS:
        return ()
    found: dict[str, OpenPod] = {}
    for stream in tally.streams.open:
        by = _CONNECTIONS.get(stream.subresource)
        is_of_pod = (stream.group, stream.resource, stream.namespace) == ("", "pods", session.namespace)
        if by is not None and stream.effect is Effect.OPAQUE and is_of_pod:
            found.setdefault(stream.name, OpenPod(stream.namespace, stream.name, by))
    for left in tally.remains.left:
        if left.key.resource == CONTAINERS and left.key.namespace == session.namespace:
            found.setdefault(left.key.name, OpenPod(left.key.namespace, left.key.name, "ephemeral container"))
    return tuple(pod for pod in found.values() if pod.name and pod.name not in tally.deleted_pods)
