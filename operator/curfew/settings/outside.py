"""Which bindings to governed roles are no alarm, and how often bindings are looked at."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from curfew.api.times import Duration
from curfew.core.activity.noticing.allowance import Allowance
from curfew.settings.values import Section, between, section

_MOST: Final = 1_000
_SUBJECTS: Final = ("User", "Group", "ServiceAccount")
_ROLES: Final = ("Role", "ClusterRole")


class AllowanceSection(Section):
    """What may be: all that is given has to fit."""

    binding: str = Field(default="", max_length=600, examples=["RoleBinding/payments/ops"])
    namespace: str = Field(default="", max_length=253, examples=["payments"])
    role: str = Field(default="", max_length=300, examples=["ClusterRole/view"])
    subject: str = Field(default="", max_length=1100, examples=["Group platform-team"])

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        """Refuse what allows everything, and what can fit nothing."""
        if not (self.binding or self.namespace or self.role or self.subject):
            raise ValueError("allows everything; give at least one of binding, namespace, role and subject")
        kind, *rest = self.binding.split("/")
        lengths = {"": 0, "RoleBinding": 2, "ClusterRoleBinding": 1}
        if lengths.get(kind) != len(rest) or not all(rest):
            raise ValueError(
                f"names binding {self.binding!r}; write RoleBinding/NAMESPACE/NAME or ClusterRoleBinding/NAME"
            )
        if self.role and not _is_one_of(self.role, "/", _ROLES):
            raise ValueError(f"names role {self.role!r}; write ClusterRole/NAME or Role/NAME")
        if self.subject and not _is_one_of(self.subject, " ", _SUBJECTS):
            raise ValueError(
                f"names subject {self.subject!r}; write User NAME, Group NAME or ServiceAccount NAMESPACE/NAME"
            )
        return self

    @property
    def allowance(self) -> Allowance:
        """What it allows."""
        return Allowance(binding=self.binding, namespace=self.namespace, role=self.role, subject=self.subject)


class OutsideSettings(Section):
    """How the monitor looks for bindings that give governed roles and are no grants."""

    every: Annotated[Duration, between(timedelta(seconds=10), timedelta(hours=1))] = Field(
        default=timedelta(minutes=5), examples=["5m"]
    )
    allow: tuple[Annotated[AllowanceSection, BeforeValidator(section)], ...] = Field(
        default=(), max_length=_MOST, examples=[[{"role": "ClusterRole/view", "subject": "Group platform-team"}]]
    )

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """What is allowed."""
        return tuple(one.allowance for one in self.allow)


def _is_one_of(text: str, separator: str, kinds: tuple[str, ...]) -> bool:
    kind, found, name = text.partition(separator)
    return bool(found and name) and kind in kinds
