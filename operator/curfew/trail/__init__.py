"""The trail: the only place that sets the order of reads from and writes to the bucket.

`appender` appends the records that wait in its `queue`. `placing` puts each segment at its place. `recovery` reads the log
back at the start: `search` finds a segment to begin with, and `ahead` asks for the next ones early. `memory` is what both
have learned, `lineage` is what the log records about itself. `keys` signs. `attestor` finds out whether the store keeps the
log, with the `samples` that are read again. `retention` states from where on the log is kept. `health` shows whether records
become durable. Nothing here knows what the records are about.
"""

from curfew.storage.people import People
from curfew.storage.time_limits import PunctualStore
from curfew.storage.used_names import UsedNames
from curfew.trail.appender import Appender
from curfew.trail.health import Health
from curfew.trail.observing import TrailObserver
from curfew.trail.samples import Discrepancy

__all__ = ["Appender", "Discrepancy", "Health", "People", "PunctualStore", "TrailObserver", "UsedNames"]
