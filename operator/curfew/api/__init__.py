"""The words people write: the custom resources and what the operator marks its objects with.

Pure: no clock, no network, no logging. Knows nothing of the audit record, so that evidence outlives API versions.
"""
