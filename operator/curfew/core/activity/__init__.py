"""What was done with the access: the calls, the grants that allowed them, and the answer to "was anything changed?".

An audit event becomes a `Call` (`formats`). `sessions` folds the trail into the grants that can have allowed calls.
`attribution` finds the session of a call. `records` writes it down. `tally` folds those records into counts, and `verdict`
turns the counts and the `coverage` of the feed into the answer. So each answer follows from the two logs alone.
"""
