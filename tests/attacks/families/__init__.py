"""All attacks, by family."""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.attacks.attack import Attack
from tests.attacks.families import (
    applying,
    asking,
    deciding,
    impersonating,
    patching,
    phases,
    recreating,
)

FAMILIES: Final[Mapping[str, Sequence[Attack]]] = {
    "server-side apply": applying.ATTACKS,
    "patches": patching.PATCHES,
    "replacements": patching.REPLACEMENTS,
    "races": patching.RACES,
    "dry-run": patching.DRY_RUNS,
    "impersonation": impersonating.ATTACKS,
    "who asks": asking.IDENTITY,
    "what is asked": asking.ASKING,
    "generated names": asking.GENERATED_NAMES,
    "marks on a new request": asking.MARKED,
    "people": deciding.PEOPLE,
    "stages": deciding.STAGES,
    "accounts and groups": deciding.ACCOUNTS,
    "names": deciding.NAMES,
    "made anew": recreating.ATTACKS,
    "the wrong phase": phases.UNTIMELY,
    "phases rewound": phases.REWOUND,
}
