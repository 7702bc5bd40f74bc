"""A call as its record in the log holds it: what all counts are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.audit.record import Record
from curfew.core.activity.call_records import BEGAN
from curfew.core.activity.effect import Effect, How, Sensitive

POD_DELETED: Final = "session.pod_deleted"
"""The event of a pod that the monitor deleted at the end of a grant."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call under a grant, or the beginning of one. Times are aware and in UTC."""

    record: Record
    has_ended: bool
    how: How
    effect: Effect
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int | None
    at: datetime  # when the API server received it
    lasted: timedelta
    call: str  # what makes two events the same call
    audit_id: str
    is_selected: bool
    may_remain: bool  # what it deleted may be there still
    sensitive: Sensitive | None
    credential: str | None
    issued_credential: str | None
    pod: tuple[str, str] | None  # name and UID
    addresses: tuple[str, ...]  # as the API server reports them; only the last one is sure to be true

    @classmethod
    def of(cls, record: Record) -> "RecordedCall | None":
        """Read the record of a call back; None for any other record, and for one that cannot be read."""
        detail = record.block.get("detail")
        if not is_call(record) or not isinstance(detail, Mapping):
            return None
        try:
            return cls._read(record, detail)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return None

    @classmethod
    def _read(cls, record: Record, detail: Mapping[str, Any]) -> "RecordedCall":
        known = _Fields(detail)
        kind, pod = known.text_or_none("sensitive"), detail.get("pod")
        source = record.block.get("source")
        addresses = source.get("addresses", ()) if isinstance(source, Mapping) else ()
        at = datetime.fromisoformat(detail["received_at"])
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        return cls(
            record=record,
            has_ended=record.event != BEGAN,
            how=How(detail["how"]),
            effect=Effect(detail["effect"]),
            verb=known.text("verb"),
            group=known.text("group"),
            resource=known.text("resource"),
            subresource=known.text("subresource"),
            namespace=known.text("namespace"),
            name=known.text("name"),
            code=known.number("code") if "code" in detail else None,
            at=at,
            lasted=timedelta(milliseconds=known.number("milliseconds")),
            call=known.text("call"),
            audit_id=known.text("audit_id"),
            is_selected=detail.get("selected", False) is not False,
            may_remain=detail.get("may_remain", False) is not False,
            sensitive=Sensitive(kind) if kind is not None else None,
            credential=known.text_or_none("credential"),
            issued_credential=known.text_or_none("issued_credential"),
            pod=(_Fields(pod).text("name"), _Fields(pod).text("uid")) if pod is not None else None,
            addresses=tuple(map(str, addresses)),
        )


class _Fields:
    """The fields of an object, each of its type or TypeError."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def text(self, name: str) -> str:
        return self.text_or_none(name) or ""

    def text_or_none(self, name: str) -> str | None:
        value = self._known.get(name)
        if value is not None and type(value) is not str:
            raise TypeError(f"{name} is no text")
        return value

    def number(self, name: str) -> int:
        value = self._known.get(name, 0)
        if type(value) is not int:
            raise TypeError(f"{name} is no whole number")
        return value


def is_call(record: Record) -> bool:
    """Whether a record is about a call, also one of a version that this one cannot read."""
    return record.event.startswith("call.") or record.event == BEGAN
