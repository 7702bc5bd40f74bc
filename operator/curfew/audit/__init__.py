"""The words auditors read: records, segments, the Merkle tree over them, signed checkpoints and the verifier.

Pure: no clock, no network, no logging. It does not import the API, so that evidence outlives API versions.
"""
