"""The part of the catalogue of recorded events about what people were told."""

from curfew.audit.event_type import OTHER, EventType, OcsfClass

_ENTITY = OcsfClass.ENTITY_MANAGEMENT

NOTIFICATION_DETAIL = ("event", "messages", "route", "number", "channel", "count", "attempts")

NOTIFICATION_EVENTS = (
    EventType(
        "notification.sent",
        "7601I",
        _ENTITY,
        OTHER,
        "People were told something: the receiver has taken it.",
        NOTIFICATION_DETAIL,
    ),
    EventType(
        "notification.dropped",
        "7602W",
        _ENTITY,
        OTHER,
        "People were not told something: it was given up.",
        (*NOTIFICATION_DETAIL, "why"),
    ),
)
"""In the order of their codes."""
