"""The part of the catalogue of recorded events about what calls show besides the use of grants."""

from curfew.audit.event_type import OTHER, UPDATE, EventType, OcsfClass

_ENTITY = OcsfClass.ENTITY_MANAGEMENT
_OUTSIDE = ("kind", "namespace", "name", "uid", "role", "subjects", "more_subjects")

NOTICED_EVENTS = (
    EventType(
        "decision.refused",
        "7301W",
        _ENTITY,
        UPDATE,
        "The API server refused a decision about a request, by one of our admission policies.",
        ("namespace", "request", "decision", "policy", "why", "user", "credential", "dry_run", "count"),
    ),
    EventType(
        "binding.found_outside",
        "7302W",
        _ENTITY,
        OTHER,
        "A binding gives somebody a governed role, and it is no grant and not on the allow list.",
        (*_OUTSIDE, "made_at", "how", "user", "credential"),
    ),
    EventType(
        "binding.gone_outside",
        "7303I",
        _ENTITY,
        OTHER,
        "A binding that gave somebody a governed role does so no more, or may.",
        (*_OUTSIDE, "why", "user", "credential"),
    ),
    EventType(
        "guard.changed",
        "7304W",
        _ENTITY,
        UPDATE,
        "Somebody changed what Curfew depends on: its admission policies, kinds, locks, rights or other parts.",
        ("part", "verb", "group", "resource", "subresource", "namespace", "name", "ours", "user", "credential"),
    ),
    EventType(
        "role.used_outside",
        "7305W",
        _ENTITY,
        OTHER,
        "A governed role was used through a binding that is no grant and not on the allow list.",
        (
            "role",
            "kind",
            "namespace",
            "name",
            "subjects",
            "verb",
            "group",
            "resource",
            "target",
            "user",
            "credential",
        ),
    ),
    EventType(
        "person.seen",
        "7306I",
        _ENTITY,
        OTHER,
        "A person came from this network with this credential, for the first time today.",
        ("network", "credential", "by"),
    ),
)
"""In the order of their codes."""
