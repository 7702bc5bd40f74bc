"""What this process did or saw about a request, and no object shows. Losing it in a crash is safe."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from curfew.audit.record import Story
from curfew.core.bindings import Binding
from curfew.core.facts import Refusal, Removal


@dataclass(frozen=True, slots=True)
class RequestMemory:
    """What is remembered of one request."""

    lost: Binding | None = None  # its binding, seen and gone since
    removal: Removal | None = None  # that we removed the binding, when and why
    stranger: Binding | None = None  # a binding of its name that Curfew did not make
    refusal: Refusal | None = None  # the API server's refusal of the binding
    refused_since: datetime | None = None  # when it was first refused
    role_changing_since: datetime | None = None  # since when the rules of its aggregated role have been different
    stuck_since: datetime | None = None  # when its binding was first to be removed, and could not be
    is_gone: bool = False  # the request was deleted
    is_accepted: bool = False  # that it may be decided is being written
    handed_over: Story | None = None  # of the announcement of its grant, once that is on its way to the trail


NOTHING: Final = RequestMemory()


class Memories:
    """What is remembered of each request, by its UID, until it is forgotten."""

    def __init__(self) -> None:
        self._kept: dict[str, RequestMemory] = {}

    def of(self, uid: str) -> RequestMemory:
        """Return what is remembered of a request."""
        return self._kept.get(uid, NOTHING)

    def uids(self) -> Iterable[str]:
        """Return the UIDs of which anything is remembered."""
        return tuple(self._kept)

    def forget(self, uid: str) -> None:
        """Forget all about a request."""
        self._kept.pop(uid, None)

    def forget_all(self) -> None:
        """Forget all about all requests."""
        self._kept.clear()

    # --- the request ------------------------------------------------------------------------------------------------

    def saw_gone(self, uid: str) -> None:
        """Take in that the request was deleted."""
        self._keep(uid, replace(self.of(uid), is_gone=True))

    def accepting(self, uid: str) -> None:
        """Take in that it is being written that the request may be decided."""
        self._keep(uid, replace(self.of(uid), is_accepted=True))

    def handed_over(self, uid: str, story: Story) -> None:
        """Take in that the announcement of its grant is on its way to the trail; it has this story."""
        self._keep(uid, replace(self.of(uid), handed_over=story))

    def role_changing(self, uid: str, since: datetime | None) -> None:
        """Take in since when the rules of its role have been different; None: they are as they were."""
        self._keep(uid, replace(self.of(uid), role_changing_since=since))

    # --- its binding ------------------------------------------------------------------------------------------------

    def refused(self, uid: str, refusal: Refusal, *, since: datetime) -> None:
        """Take in that the API server refuses the binding, and since when."""
        self._keep(uid, replace(self.of(uid), refusal=refusal, refused_since=since))

    def saw_stranger(self, uid: str, binding: Binding | None) -> None:
        """Take in which binding of its name Curfew did not make; None: there is none."""
        self._keep(uid, replace(self.of(uid), stranger=binding))

    def lost(self, uid: str, binding: Binding) -> None:
        """Take in that its binding is gone."""
        self._keep(uid, replace(self.of(uid), lost=binding))

    def removed(self, uid: str, removal: Removal) -> None:
        """Take in that this process removed the binding."""
        self._keep(uid, replace(self.of(uid), removal=removal))

    def disowned(self, uid: str, refusal: Refusal | None) -> None:
        """Take in that what was removed was no grant, and why no other is made in its place, if none is."""
        old = self.of(uid)
        self._keep(uid, replace(old, lost=None, removal=None, refusal=refusal or old.refusal))

    def stuck(self, uid: str, now: datetime) -> datetime:
        """Take in that its binding has to go and could not be removed. Return since when that is so."""
        since = self.of(uid).stuck_since or now
        self._keep(uid, replace(self.of(uid), stuck_since=since))
        return since

    def unstuck(self, uid: str) -> None:
        """Take in that its binding is not in the way any more."""
        self._keep(uid, replace(self.of(uid), stuck_since=None))

    def _keep(self, uid: str, memory: RequestMemory) -> None:
        if memory == NOTHING:
            self._kept.pop(uid, None)
        else:
            self._kept[uid] = memory
