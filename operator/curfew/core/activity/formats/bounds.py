"""How long the texts of a call may be, in characters, and how many there may be of each.

A user name has its bound in `api.characters`. Longer texts are cut (`fields.bounded`).
"""

from typing import Final

MOST_URI: Final = 2_048
MOST_ID: Final = 256
MOST_AGENT: Final = 512
MOST_ADDRESS: Final = 64
MOST_PART: Final = 253
"""Of a group, a resource, a namespace, a name, a verb: as long as the names of Kubernetes' objects."""
MOST_REASON: Final = 16_384
"""The names of a binding, a role and a subject, each character of which may be written with ten."""

MOST_GROUPS: Final = 64
MOST_ADDRESSES: Final = 16

MOST_FAILURE: Final = 65_536
"""Of the annotation about an admission policy: it holds a message of 5 KiB at most, and six characters for each of them."""

MOST_MESSAGE: Final = 8_192
"""Of the API server's message about a refusal."""
