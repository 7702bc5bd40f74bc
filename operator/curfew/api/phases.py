"""The allowed changes of a request's phase: the rule that the API server keeps, even against the operator."""

from collections.abc import Mapping
from types import MappingProxyType

from curfew.api.access_request import Phase

PHASE_CHANGES: Mapping[Phase | None, frozenset[Phase]] = MappingProxyType(
    {
        None: frozenset({Phase.PENDING, Phase.FAILED}),
        Phase.PENDING: frozenset(
            {Phase.APPROVED, Phase.ACTIVE, Phase.DENIED, Phase.TIMED_OUT, Phase.CANCELLED, Phase.FAILED}
        ),
        Phase.APPROVED: frozenset({Phase.ACTIVE, Phase.CANCELLED, Phase.REVOKED, Phase.FAILED}),
        Phase.ACTIVE: frozenset({Phase.EXPIRED, Phase.REVOKED}),
        Phase.DENIED: frozenset(),
        Phase.TIMED_OUT: frozenset(),
        Phase.CANCELLED: frozenset(),
        Phase.EXPIRED: frozenset(),
        Phase.REVOKED: frozenset(),
        Phase.FAILED: frozenset(),
    }
)
"""From each phase (None: Curfew has not looked at the request yet) to the phases that may follow, never itself."""
