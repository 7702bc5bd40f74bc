"""A session: one grant, from its announcement to its end, and what of it is needed to recognise its calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.api.access_policy import OnEnd
from curfew.audit.record import BindingRef, PolicyRef, RoleRef, Story
from curfew.core.skew import TOO_FAR


@dataclass(frozen=True, slots=True)
class KeepDecision:
    """An approver's decision to keep what a grant has left behind: what was made until then may stay."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A grant as the trail has it. Times are aware and in UTC."""

    uid: str  # of the AccessRequest
    namespace: str
    request: str
    requester: str
    binding: str  # name of the RoleBinding
    announced_at: datetime  # the binding was made after that
    expires_at: datetime
    rules: tuple[
        Mapping[str, Any], ...
    ] = ()  # of the role, as they were approved; empty if the trail does not hold them
    role: RoleRef | None = None
    policy: PolicyRef | None = None
    granted_at: datetime | None = None
    ended_at: datetime | None = None  # the binding was known to be gone
    ticket: str | None = None
    on_end: OnEnd = OnEnd.REPORT
    kept: KeepDecision | None = None  # the last one

    @property
    def until(self) -> datetime:
        """When the access was over, as far as is known."""
        return self.ended_at or self.expires_at

    @property
    def is_over(self) -> bool:
        """Whether the trail holds its end. Until then the binding may be there, also after the promised end."""
        return self.ended_at is not None

    def was_open(self, at: datetime) -> bool:
        """Whether the access was held at an instant of an API server's clock, as far as is known."""
        return self.announced_at - TOO_FAR <= at <= self.until

    def may_be_open(self, at: datetime) -> bool:
        """Whether the access may have been held: clocks differ, and without a recorded end it may outlast its promised one."""
        return self.announced_at - TOO_FAR <= at and (self.ended_at is None or at <= self.ended_at + TOO_FAR)

    @property
    def story(self) -> Story:
        """What each record about the session repeats of its grant. Without a duration, so it changes no joined story."""
        return Story(
            uid=self.uid,
            namespace=self.namespace,
            request=self.request,
            requester=self.requester,
            ticket=self.ticket,
            policy=self.policy,
            role=self.role,
            binding=BindingRef(self.binding, ""),
            expires_at=self.expires_at,
        )
