"""Forwarding durable records, in addition to the bucket, never instead of it: nothing waits for it; it may lose some.

`forwarder` holds the waiting records and retries, `formats` has the forms in which records are sent, `sinks` the
destinations.
"""

from curfew.adapters.forwarding.formats import Forwarded
from curfew.adapters.forwarding.forwarder import Forwarder, ForwardObserver
from curfew.adapters.forwarding.sinks import Sink, open_sink

__all__ = ["ForwardObserver", "Forwarded", "Forwarder", "Sink", "open_sink"]
