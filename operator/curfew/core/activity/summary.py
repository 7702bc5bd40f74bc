"""What was done in a session, in one sentence of counted facts: "read 41 objects, changed 2, one exec of 4 min"."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from curfew.api.activity import MOST_SOURCES
from curfew.audit.wording import count, duration
from curfew.core.activity.earliest import Earliest
from curfew.core.activity.effect import Effect, How
from curfew.core.activity.streams import Streams
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.wording import some, within

LONGEST: Final = 512

_MANY: Final = {"attach": "attaches"}


def summary(tally: SessionTally, *, is_whole: bool, remains: int | None = None) -> str:
    """Return the sentence, without a capital and a full stop. `is_whole`: no call can have been missed.

    `remains`: how much of what was left behind nobody keeps; None: all of it.
    """
    clauses = list(_clauses(tally, len(tally.remains) if remains is None else remains))
    if not clauses:
        return "the access was not used" if is_whole else "no use of the access was seen"
    return within(clauses, LONGEST)


def connections(streams: Streams) -> list[str]:
    """Return the connections that cannot be seen into, each kind with its number and length: `1 exec of 4 min`."""
    return [
        _connections(count(number, word) if number == 1 else f"{number:,} {_plural(word)}", number, length, still)
        for word, number, length, still in streams.connections()
    ]


def _clauses(tally: SessionTally, remains: int) -> Iterator[str]:
    yield from _objects(tally)
    for word, number, length, still in tally.streams.connections():
        yield _connections(some(number, word, _plural(word)), number, length, still)
    if tally.streams.outputs:
        yield f"{some(tally.streams.outputs, 'stream')} still open"
    if tally.unsure:
        yield f"{some(tally.unsure, 'call')} that may have changed something"
    if tally.effects[Effect.DRY_RUN]:
        yield some(tally.effects[Effect.DRY_RUN], "dry run")
    if tally.denied:
        yield f"{some(tally.denied, 'call')} refused"
    if tally.effects[Effect.FAILED]:
        yield f"{some(tally.effects[Effect.FAILED], 'call')} failed"
    yield from _births(tally)
    yield from _by_other_access(tally)
    if tally.remains:
        kept = len(tally.remains) - remains
        how = "" if not kept else " (kept)" if not remains else f" ({kept:,} kept)"
        yield f"left {tally.remains.words()} behind{how}"
    if tally.sources.count > MOST_SOURCES:
        yield f"from {_many(tally.sources)} addresses"


def _objects(tally: SessionTally) -> Iterator[str]:
    read = [f"{_many(tally.objects_read)} {_objects_word(tally.objects_read)}"] if tally.objects_read.count else []
    lists = [some(tally.lists, "list")] if tally.lists else []
    if read or lists:
        yield f"read {' and '.join((*read, *lists))}"
    elif tally.reads > tally.streams.outputs:
        times = tally.reads - tally.streams.outputs  # only URLs, or questions about rights
        yield "read once" if times == 1 else f"read {times:,} times"
    changed = tally.objects_changed
    if changed.count:
        # "read 41 objects, changed 2"
        noun = "" if read and not lists else f" {_objects_word(changed)}"
        yield f"changed {_many(changed)}{noun}"


def _births(tally: SessionTally) -> Iterator[str]:
    if tally.tokens:
        more = f", of which {tally.tokens_not_followed:,} are not followed" if tally.tokens_not_followed else ""
        yield f"minted {some(tally.tokens, 'token')}{more}"
    if tally.derived:
        yield f"{some(tally.derived, 'call')} by its tokens and pods"


def _by_other_access(tally: SessionTally) -> Iterator[str]:
    standing = sum(number for (how, _), number in tally.candidates.items() if how is How.STANDING)
    changed = tally.candidates[How.STANDING, Effect.CHANGED]
    if standing:
        changes = f" ({some(changed, 'change')})" if changed else ""
        yield f"{some(standing, 'call')} that other access allowed{changes}"


def _connections(number: str, how_many: int, length: timedelta, still: int) -> str:
    """Return connections with their length; a length that is not known yet is not zero."""
    ended = how_many - still
    of = f" of {duration(length)}{' in all' if ended > 1 else ''}" if ended and length >= timedelta(seconds=1) else ""
    if not still:
        return f"{number}{of}"
    return f"{number}{of} ({'still open' if still == how_many else f'{still:,} of them still open'})"


def _many(things: Earliest) -> str:
    return f"more than {things.count:,}" if things.has_more else "one" if things.count == 1 else f"{things.count:,}"


def _objects_word(things: Earliest) -> str:
    return "object" if things.count == 1 and not things.has_more else "objects"


def _plural(word: str) -> str:
    return _MANY.get(word, f"{word}s")
