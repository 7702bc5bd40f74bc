"""Names and words that look like others, or like nothing at all."""

from typing import Any, Final

from tests.attacks.attack import Attack, Refusal, policy, schema
from tests.attacks.calling import ALICE, BOB, ROOT, Who
from tests.attacks.stage import Scene, Stage, decide
from tests.attacks.ways import ask
from tests.integration.installed import MASTERS

UNSEEN: Final = {
    "a space of no width": "\u200b",
    "a joiner": "\u200d",
    "a mark that turns to the left": "\u200f",
    "an Arabic mark": "\u061c",
    "a soft hyphen": "\u00ad",
    "a line separator": "\u2028",
    "an override": "\u202e",
    "a filler": "\u3164",
    "a tag": "\U000e0061",
    "a control character": "\u009b",
    "a null": "\x00",
    "a line": "\n",
    "a character that does not exist": "\u0378",
    "a space that does not break": "\u00a0",
}
SPELLINGS: Final = {f"{what} in it": f"ali{char}ce@example.com" for what, char in UNSEEN.items()} | {
    "a space behind it": "alice@example.com ",
    "a space before it": " alice@example.com",
    "two spaces in it": "alice  smith",
}
UNREADABLE: Final = "must be a name of visible and distinguishable characters, with single spaces between them; if you"
DECOMPOSED: Final = "must be in Unicode normal form C"
LONGEST: Final = f"system:serviceaccount:{'n' * 63}:{'a' * 253}"
PRINTED: Final = [char for char in UNSEEN.values() if char not in "\x00\n"]  # no header holds these


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def admin(name: str) -> Who:
    """Return somebody of a name, who lacks no right."""
    return ROOT.as_(name, *MASTERS)


def for_name(name: str, what: str, sentence: str) -> Attack:
    """Have alice ask for somebody whose name cannot be told from hers."""
    return Attack(
        f"asks for a name with {what}",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, requester=name)),
        schema(f"requester {sentence}"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    )


def logged_in(name: str, what: str) -> Attack:
    """Have somebody ask whom the login service gave a name that nobody can read; it says so in words."""
    return Attack(
        f"asks under a name with {what}",
        pending,
        lambda s: ask(s, admin(name), s.stage.request(ROOT, requester=ALICE.name, submittedBy=name)),
        schema(f"submittedBy {UNREADABLE}"),
        lambda s: ask(s, ROOT, s.stage.request(ROOT, requester=ALICE.name)),
    )


def approves(name: str, what: str) -> Attack:
    """Have somebody approve whose name would break the terminal of whoever reads it."""
    return Attack(
        f"approves under a name with {what}",
        pending,
        lambda s: decide(s, admin(name)),
        schema(f"by {UNREADABLE}"),
        lambda s: decide(s, ROOT),
    )


NAMES = [
    *(for_name(name, what, UNREADABLE) for what, name in SPELLINGS.items()),
    for_name("alice\u0301@example.com", "an accent of its own", DECOMPOSED),
    for_name("\u212aelvin@example.com", "a Kelvin sign", DECOMPOSED),
    *(logged_in(f"ali{char}ce@example.com", what) for what, char in UNSEEN.items() if char in PRINTED),
    *(approves(f"bo{char}b@example.com", what) for what, char in UNSEEN.items() if char in PRINTED),
    Attack(
        "asks for a service account of the longest name there is",
        pending,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=f"{LONGEST}x")),
        policy("request-identity", "only people may hold a grant"),
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=ALICE.name)),
    ),
    Attack(
        "submits under a longer name than there can be",
        pending,
        lambda s: ask(s, admin("x" * 513), s.stage.request(ROOT, requester=ALICE.name, submittedBy="x" * 513)),
        schema("may not be more than 512"),
        lambda s: ask(s, admin(LONGEST), s.stage.request(ROOT, requester=ALICE.name, submittedBy=LONGEST)),
    ),
]


def approved_by_bob(stage: Stage) -> Scene:
    """Have a request of alice's that bob has approved."""
    return pending(stage).decided(BOB, stage="owners")


ONE_PERSON: Final = ": names that differ in letter case alone are one person"

PEOPLE = [
    Attack(
        "alice approves her own request under a name in another case",
        pending,
        lambda s: decide(s, admin("Alice@Example.com")),
        policy("request-decision", f"you cannot approve a request that you made{ONE_PERSON}"),
        lambda s: decide(s, admin("Carla@Example.com")),
    ),
    Attack(
        "alice reviews under a name in another case what she took by breaking the glass",
        lambda stage: stage.in_phase("Expired", reviewBy="2030-01-01T00:00:00Z"),
        lambda s: decide(s, admin("ALICE@example.com"), "Review"),
        policy("request-decision", f"you cannot review a request that you made{ONE_PERSON}"),
        lambda s: decide(s, ROOT, "Review"),
    ),
    Attack(
        "alice keeps under a name in another case what she has left behind",
        lambda stage: stage.in_phase("Expired"),
        lambda s: decide(s, admin("ALICE@example.com"), "Keep", reason="it is mine"),
        policy("request-decision", f"you cannot keep what is left of a request that you made{ONE_PERSON}"),
        lambda s: decide(s, ROOT, "Keep", reason="it has to stay"),
    ),
    Attack(
        "bob approves once more under a name in another case",
        approved_by_bob,
        lambda s: decide(s, admin("BOB@example.com")),
        policy("request-decision", f"you have decided already, as bob@example.com{ONE_PERSON}"),
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "somebody of alice's name in another case cancels what is hers",
        pending,
        lambda s: decide(s, admin("Alice@Example.com"), "Cancel"),
        policy("request-decision", "only the person who made the request may cancel it"),
        lambda s: decide(s, ALICE, "Cancel"),
    ),
]


def asking(title: str, refused: Refusal, attempt: dict[str, Any], twin: dict[str, Any]) -> Attack:
    """Have alice ask with words of which nobody sees all."""
    return Attack(
        title,
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, **attempt)),
        refused,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, **twin)),
    )


def hidden(field: str) -> Refusal:
    """Expect the schema to name characters that cannot be seen."""
    return schema(f"{field} must not have control characters, or other invisible characters")


NEVER_SEEN: Final = {what: char for what, char in UNSEEN.items() if char not in "\n\u200d\u0378\u00a0"}

WORDS = [
    *(asking(f"a reason of {what}", hidden("reason"), {"reason": char * 10}, {}) for what, char in NEVER_SEEN.items()),
    *(
        asking(f"a ticket of {what}", hidden("ticket"), {"ticket": char * 2}, {"ticket": "I"})
        for what, char in NEVER_SEEN.items()
    ),
    asking(
        "a reason of joiners",
        schema("reason must have visible characters"),
        {"reason": "\u200d" * 10},
        {"reason": "👩\u200d💻"},
    ),
    asking(
        "a reason of spaces",
        schema("reason must have visible characters"),
        {"reason": " \n\t "},
        {"reason": " on\tcall\n"},
    ),
    asking(
        "a ticket of spaces",
        schema("ticket must have visible characters"),
        {"ticket": "\u3000 "},
        {"ticket": "I 1"},
    ),
    Attack(
        "a decision with a reason that hides another",
        pending,
        lambda s: decide(s, BOB, stage="owners", reason="ok\U000e006e\U000e006f"),
        hidden("reason"),
        lambda s: decide(s, BOB, stage="owners", reason="ok"),
    ),
]
