"""The Kubernetes Event for an alert: on the request, on the namespace, or on Curfew's own namespace."""

from curfew.api.names import API_VERSION, NAMESPACE_NAME, OBJECT_NAME
from curfew.audit.wording import printable
from curfew.core.detectors.records import ToldAlert
from curfew.core.notices import Notice, Regarding


def about_alert(alert: ToldAlert, home: str) -> Notice:
    """Return the notice about an alert. `home` is Curfew's own namespace, for alerts that are about no other.

    What the alert is about comes from records, and may be no name at all; then its Event is on `home` too.
    """
    note = f"alert {alert.id} ({alert.severity.name.capitalize()}): {printable(alert.message)}"
    story = alert.story
    if story is not None and NAMESPACE_NAME.fullmatch(story.namespace) and OBJECT_NAME.fullmatch(story.request):
        about = Regarding(API_VERSION, "AccessRequest", story.request, story.namespace, story.uid)
        return Notice(story.namespace, about, "Warning", alert.detector, "Alert", note[:1024], f"alert/{alert.id}")
    namespace = alert.namespace if NAMESPACE_NAME.fullmatch(alert.namespace) else home
    about = Regarding("v1", "Namespace", namespace, namespace, "")
    return Notice(namespace, about, "Warning", alert.detector, "Alert", note[:1024], f"alert/{alert.id}")
