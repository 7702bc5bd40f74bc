"""The monitor: it finds out what was done with the access, and whether anything was changed.

`following` reads the operator's log as it grows. `intake` takes audit events, finds the sessions that they belong to, and has
them recorded. `recollection` is what the monitor's own log holds, as far as a start needs it. `canaries` shows whether the
feed of events is whole. `assessing` answers for each session, and `statuses` writes the answers to the requests.
"""
