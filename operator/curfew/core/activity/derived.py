"""What sessions gave birth to, and whose calls it makes: tokens, pods, and objects that others may delete.

Only the objects that a session made itself are known. A pod that a Deployment makes belongs to a controller; that the
session changed something shows in its own calls.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from curfew.audit.record import Record
from curfew.core.activity.call import Call
from curfew.core.activity.effect import OWN, Effect, How
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.remains import ObjectKey, Remains, made_by
from curfew.core.skew import TOO_FAR

MOST_TOKENS: Final = 500
"""How many tokens of one session are followed. Minting one is a change, so the verdict does not depend on the rest."""

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"


class Derived:
    """The tokens and objects of all sessions, by the UIDs of their requests."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._tokens: dict[str, set[str]] = {}  # sessions by the id of the credential that was minted in them
        self._minted: dict[str, set[str]] = {}  # credential ids by session
        self._remains: dict[str, Remains] = {}
        self._in_namespace: dict[str, set[str]] = {}  # sessions by the namespaces of what they made
        self._pods: dict[str, dict[ObjectKey, dict[str, datetime]]] = {}  # by session: their UIDs, and when first seen

    def learn(self, record: Record) -> None:
        """Learn a record of the activity log."""
        seen = RecordedCall.of(record)
        if seen is None:
            if record.subject in self._remains:
                self._remains[record.subject].learn(record)
            return
        uid = record.subject
        if seen.how is How.POD and seen.pod is not None:
            pods = self._pods.setdefault(uid, {}).setdefault(_pod(str(record.block["actor"]), seen.pod[0]), {})
            pods[seen.pod[1]] = min(seen.at, pods.get(seen.pod[1], seen.at))
        if seen.how in OWN and seen.effect is Effect.CHANGED and seen.issued_credential is not None:
            self._mint(uid, seen.issued_credential)
        self._learn_objects(uid, seen)

    def of(self, call: Call) -> Iterator[tuple[str, How]]:
        """Yield the sessions that gave birth to what makes a call, and to what."""
        by_token = self._tokens.get(call.caller.credential or "", set[str]())
        yield from ((uid, How.TOKEN) for uid in sorted(by_token))
        if call.caller.pod is None or not call.caller.name.startswith(_SERVICE_ACCOUNT):
            return
        pod = _pod(call.caller.name, call.caller.pod[0])
        for uid in sorted(self._in_namespace.get(pod.namespace, ())):
            if uid not in by_token and self._is_of_pod(uid, pod, call.caller.pod[1], call):
                yield uid, How.POD

    def closed_by(self, gone: ObjectKey, call: Call) -> Iterator[str]:
        """Yield the sessions that had left something behind which a call deletes."""
        for uid in sorted(self._in_namespace.get(gone.namespace, ())):
            if self._remains[uid].is_closed_by(gone, call.received_at):
                yield uid

    def forget(self, uid: str) -> None:
        """Forget what a session gave birth to."""
        for credential in self._minted.pop(uid, ()):
            self._tokens[credential].discard(uid)
            if not self._tokens[credential]:
                del self._tokens[credential]
        self._remains.pop(uid, None)
        for namespace in [name for name, uids in self._in_namespace.items() if uid in uids]:
            self._in_namespace[namespace].discard(uid)
            if not self._in_namespace[namespace]:
                del self._in_namespace[namespace]
        self._pods.pop(uid, None)

    def _mint(self, uid: str, credential: str) -> None:
        minted = self._minted.setdefault(uid, set())
        if credential in minted or len(minted) < MOST_TOKENS:
            minted.add(credential)
            self._tokens.setdefault(credential, set()).add(uid)

    def _learn_objects(self, uid: str, seen: RecordedCall) -> None:
        made = made_by(seen) if seen.how in OWN and seen.effect is Effect.CHANGED else None
        if made is not None:
            self._remains.setdefault(uid, Remains())
            self._in_namespace.setdefault(made.namespace, set()).add(uid)
        if uid in self._remains:
            self._remains[uid].learn_call(seen)

    def _is_of_pod(self, uid: str, pod: ObjectKey, pod_uid: str, call: Call) -> bool:
        known = self._pods.get(uid, {}).get(pod, {})
        if pod_uid in known:
            return True
        made_at, gone_at = self._remains[uid].made_at(pod), self._remains[uid].gone_at(pod)
        if made_at is None or call.received_at < made_at - TOO_FAR:
            return False
        if any(first_seen >= made_at for first_seen in known.values()):
            return False  # the pod that was made then is another one
        # A pod that was deleted before it made any call is not known; another may have its name by now.
        return gone_at is None or gone_at < made_at or call.received_at <= gone_at


def _pod(account: str, name: str) -> ObjectKey:
    """Return the pod of a service account's call: it is in the account's namespace."""
    return ObjectKey("", "pods", account.removeprefix(_SERVICE_ACCOUNT).partition(":")[0], name)
