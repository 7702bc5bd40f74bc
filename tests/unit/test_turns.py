"""Who waits for access comes before who waits to see what is done, and nobody waits for ever."""

from itertools import count

from curfew.core.keys import RequestKey
from curfew.processes.operator.turns import AT_ONCE, EACH, SHOWS_BELOW, SHOWS_ONCE_IN, Line, Turns


def waiting(turns: Turns, number: int, *, only_shows: bool) -> None:
    """Let as many people wait, each with one request."""
    kind = "shows" if only_shows else "asks"
    for n in range(number):
        turns.join(RequestKey(f"{kind}-{n}"), f"{kind}-{n}@example.com", only_shows=only_shows)


def begin_all(turns: Turns) -> list[Line]:
    """Begin turns until none can begin, and return whose they are."""
    begun = []
    while (found := turns.begin()) is not None:
        begun.append(found[1])
    return begun


def shows(lines: list[Line]) -> int:
    """Return how many of them only show what is done."""
    return sum(str(line).startswith("shows") for line in lines)


def test_who_waits_for_access_comes_first() -> None:
    """However long the others have waited."""
    turns = Turns()
    waiting(turns, AT_ONCE, only_shows=True)
    waiting(turns, SHOWS_ONCE_IN - 1, only_shows=False)

    assert shows(begin_all(turns)[: SHOWS_ONCE_IN - 1]) == 0


def test_what_only_shows_something_has_few_turns_at_a_time() -> None:
    """Somebody who comes now and waits for access is not one of dozens."""
    turns = Turns()
    waiting(turns, AT_ONCE, only_shows=True)

    assert shows(begin_all(turns)) == SHOWS_BELOW
    waiting(turns, 1, only_shows=False)
    assert begin_all(turns) == ["asks-0@example.com"]


def test_what_only_shows_something_has_its_share_while_others_wait() -> None:
    """Also if all turns are always taken."""
    turns, names = Turns(), count(AT_ONCE)
    waiting(turns, AT_ONCE, only_shows=False)
    begun = begin_all(turns)
    waiting(turns, AT_ONCE, only_shows=True)
    later: list[Line] = []
    for _ in range(10 * SHOWS_ONCE_IN):
        turns.join(RequestKey(f"asks-{(n := next(names))}"), f"asks-{n}@example.com")
        turns.end(begun.pop(0))
        begun += (some := begin_all(turns))
        later += some

    assert shows(later) == 10


def test_a_flood_of_one_person_leaves_a_turn_to_what_others_wait_to_see() -> None:
    """Whoever floods delays only what they wait to see themselves."""
    turns = Turns()
    for n in range(2 * EACH):
        turns.join(RequestKey(f"flood-{n}"), "mallory@example.com")
    assert len(begin_all(turns)) == EACH
    waiting(turns, 3, only_shows=True)

    assert shows(begin_all(turns)) == 1
    turns.end("shows-0@example.com")
    assert begin_all(turns) == ["shows-1@example.com"]
    turns.end("mallory@example.com")
    turns.end("shows-1@example.com")
    assert begin_all(turns) == ["mallory@example.com", "shows-2@example.com"]


def test_who_leaves_a_line_leaves_nothing_behind() -> None:
    """Whichever line it was."""
    turns = Turns()
    waiting(turns, 2, only_shows=True)
    waiting(turns, 2, only_shows=False)
    for key in ("shows-0", "shows-1", "asks-0", "asks-1"):
        turns.leave(RequestKey(key))

    assert (turns.begin(), turns.waiting, turns.is_idle) == (None, 0, True)


def test_a_key_that_waits_keeps_its_place() -> None:
    """News about it does not put it elsewhere."""
    turns = Turns()
    waiting(turns, 1, only_shows=True)
    turns.join(RequestKey("shows-0"), "shows-0@example.com")

    assert turns.waiting == 1
    assert turns.begin() is not None
    assert turns.begin() is None
