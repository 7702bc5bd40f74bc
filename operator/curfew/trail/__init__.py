"""The trail: the only place that orders what is read from and written to the bucket.

`writer` appends, `recovery` reads back at the start (`search` finds a segment to begin with, `ahead` asks for the next ones
early), `memory` is what both have learned, `keys` signs, `attestor` finds out whether the store keeps it, with the `samples`
that are read again, `retention` states from where on the log is kept, `health` says whether records become durable,
`people` knows the names behind pseudonyms, `used_names` which names of requests were used, `punctual` gives each call to the
store an end.
"""

from curfew.storage.people import People
from curfew.storage.time_limits import PunctualStore
from curfew.storage.used_names import UsedNames
from curfew.trail.health import Health
from curfew.trail.samples import Discrepancy
from curfew.trail.writer import Trail, TrailObserver

__all__ = ["Discrepancy", "Health", "People", "PunctualStore", "Trail", "TrailObserver", "UsedNames"]
