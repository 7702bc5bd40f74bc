"""The part of the catalogue of recorded events about detectors: their alerts, silences, and what they looked at."""

from curfew.audit.event_type import OTHER, RAISE, RESOLVE, UPDATE, EventType, OcsfClass

_ENTITY, _ALERT = OcsfClass.ENTITY_MANAGEMENT, OcsfClass.DETECTION_FINDING

DETECTION_EVENTS = (
    EventType(
        "alert.raised",
        "6010W",
        _ALERT,
        RAISE,
        "A detector found something that looks wrong in the logs.",
        (
            "detector",
            "key",
            "severity",
            "evidence",
            "people",
            "namespace",
            "policy",
            "values",
            "silenced_by",
        ),
    ),
    EventType(
        "alert.resolved",
        "6011I",
        _ALERT,
        RESOLVE,
        "An alert was resolved, by later records or by a person.",
        ("alert", "detector", "key", "people", "why", "reason"),
    ),
    EventType(
        "alert.silenced",
        "6012W",
        _ALERT,
        OTHER,
        "A person silenced alerts: they are recorded, and nobody is notified.",
        ("silence", "name", "detector", "person", "policy", "namespace", "reason", "ends_at"),
    ),
    EventType(
        "alert.silence_ended",
        "6013I",
        _ALERT,
        OTHER,
        "A silence is over.",
        ("silence", "name", "why"),
    ),
    EventType(
        "detection.checked",
        "7501I",
        _ENTITY,
        OTHER,
        "Everything before these places in both logs was looked at, and each alert that follows from it is recorded.",
        ("until", "trail", "activity"),
    ),
    EventType(
        "detection.configured",
        "7502W",
        _ENTITY,
        UPDATE,
        "The settings of the detectors; the first record of a log, or they were changed.",
        ("detectors", "policies", "off", "changed"),
    ),
)
"""In the order of their codes."""
