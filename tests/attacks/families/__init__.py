"""All attacks, by family."""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.attacks.attack import Attack
from tests.attacks.families import (
    applying,
    asking,
    bindings,
    crowding,
    deciding,
    impersonating,
    marking,
    offering,
    outdated,
    patching,
    phases,
    recreating,
    spelling,
    stealing,
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
    "marks on a request": marking.MARKED,
    "marks by the operator": marking.BY_THE_OPERATOR,
    "deletion": marking.DELETED,
    "bindings made by people": bindings.MADE,
    "grants changed by people": bindings.CHANGED,
    "a stolen token binds": stealing.BINDING,
    "a stolen token changes": stealing.CHANGING,
    "a stolen token decides": stealing.DECIDING,
    "a stolen token": stealing.RIGHTS,
    "policies": offering.ATTACKS,
    "tokens that are outdated": outdated.ATTACKS,
    "size and cost": crowding.ATTACKS,
    "people": deciding.PEOPLE,
    "stages": deciding.STAGES,
    "accounts and groups": deciding.ACCOUNTS,
    "names": deciding.NAMES,
    "names that do not show as written": spelling.NAMES,
    "one person in two spellings": spelling.PEOPLE,
    "words that nobody sees": spelling.WORDS,
    "made anew": recreating.ATTACKS,
    "the wrong phase": phases.UNTIMELY,
    "phases rewound": phases.REWOUND,
}
