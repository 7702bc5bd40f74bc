"""Sending durable records on, beside the bucket and never instead of it: nothing waits for it, and it may lose some.

`forwarder` holds what waits and tries again, `formats` are the forms in which records are sent, `sinks` where they go.
"""

from curfew.adapters.forwarding.formats import Forwarded
from curfew.adapters.forwarding.forwarder import Forwarder, ForwardObserver
from curfew.adapters.forwarding.sinks import Sink, open_sink

__all__ = ["ForwardObserver", "Forwarded", "Forwarder", "Sink", "open_sink"]
