"""The trail: the only place that orders what is read from and written to the bucket.

`appender` appends what waits in its `queue`, `placing` puts each segment at its place, `recovery` reads back at the start
(`search` finds a segment to begin with, `ahead` asks for the next ones early). `memory` is what both have learned, `lineage`
what the log tells of itself. `keys` signs, `attestor` finds out whether the store keeps it, with the `samples` that are read
again, `retention` states from where on the log is kept, `health` tells whether records become durable. Nothing here knows
what the records are about.
"""

from curfew.storage.people import People
from curfew.storage.time_limits import PunctualStore
from curfew.storage.used_names import UsedNames
from curfew.trail.appender import Appender, TrailObserver
from curfew.trail.health import Health
from curfew.trail.samples import Discrepancy

__all__ = ["Appender", "Discrepancy", "Health", "People", "PunctualStore", "TrailObserver", "UsedNames"]
