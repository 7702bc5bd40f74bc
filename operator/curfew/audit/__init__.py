"""The words auditors read: records, segments, the Merkle tree over them, signed checkpoints and the verifier.

Pure: no clock, no network, no logging. Knows nothing of the API, so that evidence outlives API versions.
"""
