"""What a scripted session is: what is typed, and the answer that it has to lead to."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.integration.monitor.acting import Acting

Step = Callable[[Acting], Awaitable[None]]

_LENGTH: Final = re.compile(r" of \d[\d.]* (?:ms|s|min)(?: \d+ s)?(?=[ ,(]|$)")
"""How long a connection took. Chance decides that, and a short one has none."""

LOOPBACK_ONLY: Final = ("127.0.0.1",)


@dataclass(frozen=True)
class Answer:
    """What `status.activity` has to hold, field by field. What is not named here is zero, or empty."""

    changes: str
    says: str  # the summary without lengths of time, or a part of it
    reads: int = 0
    writes: int = 0
    denied: int = 0
    opaque: int = 0
    derived: int = 0
    standing: int = 0
    changed: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    remains: int = 0
    reasons: tuple[str, ...] = ()  # parts: each reason has one, and each of them is in one
    sources: tuple[str, ...] = LOOPBACK_ONLY

    def differs(self, told: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
        """Return the fields that are not as expected: what was expected, and what is."""
        counts = ("reads", "writes", "denied", "opaque", "derived", "standing", "remains")
        lists = ("changed", "sensitive", "sources")
        seen: dict[str, object] = {"changes": told.get("changes")}
        seen |= {name: told.get(name, 0) for name in counts}
        seen |= {name: tuple(told.get(name, ())) for name in lists}
        found = {name: (getattr(self, name), value) for name, value in seen.items() if getattr(self, name) != value}
        if self.says not in (summary := _LENGTH.sub("", told.get("summary", ""))):
            found["summary"] = self.says, summary
        reasons = tuple(told.get("reasons", ()))
        if not _fit(self.reasons, reasons):
            found["reasons"] = self.reasons, reasons
        return found


@dataclass(frozen=True)
class Script:
    """One session. Steps are taken one after another; each checks its own outcome."""

    title: str
    steps: tuple[Step, ...]  # while the access lasts
    answer: Answer
    log: Mapping[str, object]  # how often each event about the session is in the log of activity, but for its answers
    role: str = "edit"
    user: str = ""  # who asks; somebody who is in no other script if it is left out
    namespace: str = ""  # of a new name if it is left out
    before: tuple[Step, ...] = ()  # steps before it begins
    unheard: tuple[Step, ...] = ()  # steps while the monitor hears nothing
    after: tuple[Step, ...] = ()  # steps after its end
    then: tuple[Step, ...] = ()  # steps after the first final answer
    first: Answer | None = None  # the first final answer, if it is not the same
    cancels: bool = False  # the requester ends it and nobody revokes it
    more_roles: tuple[str, ...] = field(
        default=()
    )  # granted to the same person at the same time, by requests of their own

    @property
    def requester(self) -> str:
        """Return who asks."""
        return self.user or f"{re.sub('[^a-z]+', '-', self.title.lower())}@example.com"

    @property
    def first_answer(self) -> Answer | None:
        """Return the first final answer; None if it depends on the moment: things go on after the end."""
        return self.first if self.first or self.after or self.then else self.answer


def _fit(parts: Sequence[str], reasons: Sequence[str]) -> bool:
    reasons = [reason for reason in reasons if not reason.startswith("nor in ")]  # goes on with the one before it
    return all(any(part in reason for reason in reasons) for part in parts) and all(
        any(part in reason for part in parts) for reason in reasons
    )
