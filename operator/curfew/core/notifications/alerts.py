"""The message about an alert."""

from curfew.audit.record import Record
from curfew.core.detectors.records import told
from curfew.core.notifications.message import Fact, Message, Occasion


def alert_message(record: Record) -> Message | None:
    """Return the message about an alert; None for a record that is none, or that is silenced."""
    alert = told(record)
    if alert is None or alert.silenced_by:
        return None
    story = alert.story
    facts = (
        Fact("Detector", alert.detector),
        Fact("Severity", alert.severity.name.capitalize()),
        *((Fact("Who", ", ".join(alert.people)),) if alert.people else ()),
        *((Fact("Request", f"{story.request} in namespace {story.namespace}"),) if story is not None else ()),
        *((Fact("Namespace", alert.namespace),) if alert.namespace and story is None else ()),
        *((Fact("Policy", alert.policy),) if alert.policy else ()),
        *(Fact(name, str(value)) for name, value in alert.values.items()),
        Fact("Alert", record.id),
    )
    return Message(
        topic=Occasion.ALERT,
        record=record.id,
        at=record.at,
        title=f"{alert.severity.name.capitalize()}: {alert.title}",
        text=record.message,
        severity=alert.severity,
        namespace=alert.namespace,
        policy=alert.policy,
        detector=alert.detector,
        person=alert.people[0] if alert.people else "",
        subject=story.uid if story is not None else "",
        request=story.request if story is not None else "",
        facts=facts,
    )
