"""The words people write: the custom resources, and the labels and annotations that the operator puts on objects.

Pure: no clock, no network, no logging. It does not import the audit record, so that evidence outlives API versions.
"""
