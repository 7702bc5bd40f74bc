"""The trail: the only place that orders what is read from and written to the bucket.

`writer` appends, `recovery` reads back at the start (`search` finds a segment to begin with, `ahead` asks for the next ones
early), `memory` is what both have learned, `keys` signs, `attestor` finds out whether the store keeps it, with the `samples`
that are read again, `health` says whether records become durable, `people` knows the names behind pseudonyms,
`used_names` which names of requests were used, `punctual` gives each call to the store an end.
"""

from curfew.trail.health import Health
from curfew.trail.people import People
from curfew.trail.punctual import PunctualStore
from curfew.trail.samples import Discrepancy
from curfew.trail.used_names import UsedNames
from curfew.trail.writer import Trail, TrailObserver

__all__ = ["Discrepancy", "Health", "People", "PunctualStore", "Trail", "TrailObserver", "UsedNames"]
