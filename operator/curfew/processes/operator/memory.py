"""What this process did or saw about a request and no object shows. Losing it in a crash is safe."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from curfew.audit.record import Story
from curfew.core.bindings import Binding
from curfew.core.facts import LastRead, Refusal, Removal, ToldEnd


@dataclass(frozen=True, slots=True)
class RequestMemory:
    """What is remembered about one request."""

    lost: Binding | None = None  # its binding, seen earlier and gone now
    removal: Removal | None = None  # when and why we removed the binding, if we did
    stranger: Binding | None = None  # a binding of its name that Curfew did not make
    refusal: Refusal | None = None  # the API server's refusal of the binding
    refused_since: datetime | None = None  # when it was first refused
    role_changing_since: datetime | None = None  # since when the rules of its aggregated role have been different
    stuck_since: datetime | None = None  # since when its binding should be removed and could not be
    is_gone: bool = False  # the request was deleted
    is_accepted: bool = False  # its acceptance is being written
    settled_version: str = ""  # the resourceVersion of the request at which nothing in its outbox waits for the log
    last_read: LastRead | None = None  # what was read for it last: its role, or who has which right
    told_end: ToldEnd | None = None  # its end, once the records of that are on their way to the trail
    handed_over: Story | None = None  # of the announcement of its grant, once that is on its way to the trail


NOTHING: Final = RequestMemory()


class Memories:
    """What is remembered about each request, by its UID, until the request is forgotten."""

    def __init__(self) -> None:
        self._kept: dict[str, RequestMemory] = {}

    def of(self, uid: str) -> RequestMemory:
        """Return what is remembered about a request."""
        return self._kept.get(uid, NOTHING)

    def uids(self) -> Iterable[str]:
        """Return the UIDs of all requests that anything is remembered about."""
        return tuple(self._kept)

    def forget(self, uid: str) -> None:
        """Forget everything about a request."""
        self._kept.pop(uid, None)

    def forget_all(self) -> None:
        """Forget everything about all requests."""
        self._kept.clear()

    def leave(self) -> None:
        """Forget what only the leader knows: whatever it had begun, another process goes on with or begins anew."""
        for uid, memory in list(self._kept.items()):
            rest = RequestMemory(lost=memory.lost, removal=memory.removal, is_gone=memory.is_gone)
            self._keep(uid, rest)

    # --- the request ------------------------------------------------------------------------------------------------

    def saw_gone(self, uid: str) -> None:
        """Note that the request was deleted."""
        self._keep(uid, replace(self.of(uid), is_gone=True))

    def accepting(self, uid: str) -> None:
        """Note that the request's acceptance is being written. What was read for it does not count for the grant."""
        self._keep(uid, replace(self.of(uid), is_accepted=True, last_read=None))

    def settled(self, uid: str, version: str) -> None:
        """Note that all records in the outbox of the request are in the log, as its status is at this resourceVersion."""
        self._keep(uid, replace(self.of(uid), settled_version=version))

    def was_read(self, uid: str, read: LastRead) -> None:
        """Note what was read for a decision about the request."""
        self._keep(uid, replace(self.of(uid), last_read=read))

    def told_end(self, uid: str, end: ToldEnd) -> None:
        """Note that the records of its end are on their way to the trail."""
        self._keep(uid, replace(self.of(uid), told_end=end))

    def handed_over(self, uid: str, story: Story) -> None:
        """Note that the announcement of its grant, with this story, is on its way to the trail."""
        self._keep(uid, replace(self.of(uid), handed_over=story))

    def role_changing(self, uid: str, since: datetime | None) -> None:
        """Note since when the rules of its role have been different; None: they are as they were."""
        self._keep(uid, replace(self.of(uid), role_changing_since=since))

    # --- its binding ------------------------------------------------------------------------------------------------

    def refused(self, uid: str, refusal: Refusal, *, since: datetime) -> None:
        """Note that the API server refuses the binding, and since when."""
        self._keep(uid, replace(self.of(uid), refusal=refusal, refused_since=since))

    def saw_stranger(self, uid: str, binding: Binding | None) -> None:
        """Note a binding that has the request's name and was not made by Curfew; None: there is none."""
        self._keep(uid, replace(self.of(uid), stranger=binding))

    def lost(self, uid: str, binding: Binding) -> None:
        """Note that its binding is gone."""
        self._keep(uid, replace(self.of(uid), lost=binding))

    def removed(self, uid: str, removal: Removal) -> None:
        """Note that this process removed the binding."""
        self._keep(uid, replace(self.of(uid), removal=removal))

    def disowned(self, uid: str, refusal: Refusal | None) -> None:
        """Note that the removed binding was not a grant. `refusal`: why no other is made in its place, if none is."""
        old = self.of(uid)
        self._keep(uid, replace(old, lost=None, removal=None, refusal=refusal or old.refusal))

    def stuck(self, uid: str, now: datetime) -> datetime:
        """Note that its binding could not be removed. Return since when."""
        since = self.of(uid).stuck_since or now
        self._keep(uid, replace(self.of(uid), stuck_since=since))
        return since

    def unstuck(self, uid: str) -> None:
        """Note that its binding no longer has to be removed."""
        self._keep(uid, replace(self.of(uid), stuck_since=None))

    def _keep(self, uid: str, memory: RequestMemory) -> None:
        if memory == NOTHING:
            self._kept.pop(uid, None)
        else:
            self._kept[uid] = memory
