"""Bindings that calls have written are read at once; all are listed at the start, now and then, and if policies change."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.core.activity.call import Call
from curfew.core.activity.noticing.binding import BindingKey, SeenBinding
from curfew.ports import ClusterError, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from curfew.processes.monitor.noticing import FORBIDDEN, FRESH, MOST_WANTED, RETRY, SOON, Noticer
from tests.support.activity import a_call
from tests.support.builders import BOB, NOON
from tests.support.noticing import ANoticing, a_binding, a_refusal, detail, events, offered
from tests.support.world import FakeClock

EVERY = timedelta(minutes=5)
MOMENT = timedelta(seconds=1)


class Bindings:
    """The bindings of an API server."""

    def __init__(self) -> None:
        self.there: dict[BindingKey, SeenBinding] = {}
        self.asked: list[str] = []
        self.error: ClusterError | None = None
        self.errors: dict[str, ClusterError] = {}  # by the name of a binding

    def put(self, *bindings: SeenBinding) -> None:
        """Have them there."""
        self.there |= {binding.key: binding for binding in bindings}

    async def binding(self, key: BindingKey) -> SeenBinding | None:
        """Return one."""
        self.asked.append(key.name)
        if (error := self.errors.get(key.name) or self.error) is not None:
            raise error
        return self.there.get(key)

    async def bindings(self, kind: str) -> AsyncIterator[SeenBinding]:
        """Yield all of a kind."""
        self.asked.append(kind)
        for binding in tuple(self.there.values()):
            if binding.key.kind == kind:
                yield binding
        if self.error is not None:
            raise self.error

    def take(self) -> list[str]:
        """Return what was asked for since the last time."""
        asked, self.asked = self.asked, []
        return asked


LISTED = ["RoleBinding", "ClusterRoleBinding"]


class ANoticer:
    """A noticer over bindings in memory, with the log that it writes."""

    def __init__(self) -> None:
        self.core = ANoticing(offered())
        self.source = Bindings()
        self.clock = FakeClock(NOON + timedelta(minutes=20))
        self.noticer = Noticer(self.core.noticing, self.source, self.clock, every=EVERY, submit=self._submit)

    def _submit(self, record: Record) -> None:
        self.core.write(record)

    def arrives(self, *calls: Call) -> list[Record]:
        """Notice calls."""
        return [record for call in calls for record in self.core.write(*self.noticer.notice(call, ()))]

    async def turn(self, after: timedelta = timedelta()) -> list[str]:
        """Take a turn after some time, and return what was asked of the API server."""
        self.clock.set(self.clock.now() + after)
        await self.noticer.turn()
        return self.source.take()

    @property
    def told(self) -> list[str]:
        """The events in the log."""
        return events(self.core.log)


def wrote(name: str = "quick", verb: str = "create", **changes: Any) -> Call:
    """Return bob's call that writes a binding."""
    return a_call(verb, f"rolebindings.rbac.authorization.k8s.io/{name}", user=BOB, reason="", **changes)


async def test_all_are_listed_at_the_start_and_now_and_then() -> None:
    here = ANoticer()
    here.source.put(a_binding(), a_binding("everywhere", kind="ClusterRoleBinding", uid="uid-2"))

    assert here.noticer.trouble
    assert await here.turn() == LISTED
    assert here.told == ["binding.found_outside"] * 2
    assert not here.noticer.trouble
    assert await here.turn(EVERY - MOMENT) == []
    assert await here.turn(MOMENT) == LISTED
    assert here.told == ["binding.found_outside"] * 2


async def test_what_was_written_is_read_at_once_with_who_wrote_it() -> None:
    here = ANoticer()
    await here.turn()
    here.source.put(a_binding())

    assert here.arrives(wrote()) == []
    assert await here.turn() == ["quick"]
    (record,) = here.core.log
    assert (record.block["actor"], detail(record)["how"]) == (BOB, "Feed")
    assert await here.turn() == []

    here.source.there.clear()
    here.arrives(wrote(verb="delete"))
    await here.turn()
    assert here.told == ["binding.found_outside", "binding.gone_outside"]


async def test_a_binding_that_is_written_twice_is_read_once() -> None:
    here = ANoticer()
    await here.turn()
    here.arrives(wrote(), wrote(verb="patch"))

    assert await here.turn() == ["quick"]


async def test_a_list_waits_for_the_feed_to_tell_who_made_it() -> None:
    here = ANoticer()
    here.source.put(a_binding(made_at=here.clock.now() - MOMENT))

    await here.turn()
    assert here.told == []
    here.arrives(wrote())
    await here.turn()
    assert [record.block["actor"] for record in here.core.log] == [BOB]


async def test_a_list_does_not_wait_long() -> None:
    here = ANoticer()
    here.source.put(a_binding(made_at=here.clock.now() - MOMENT))
    await here.turn()

    assert await here.turn(max(SOON, FRESH)) == LISTED
    assert [detail(record)["how"] for record in here.core.log] == ["List"]


async def test_a_list_knows_who_made_what_was_written_before_a_policy_offered_its_role() -> None:
    here = ANoticer()
    await here.turn()
    made_at = here.clock.now()
    here.source.put(a_binding(role="view", made_at=made_at))
    here.arrives(wrote(at=made_at))
    assert (await here.turn(), here.told) == (["quick"], [])
    here.core.learn(offered("view", policy="viewing"))

    assert await here.turn(SOON) == LISTED
    assert [(record.block["actor"], detail(record)["how"]) for record in here.core.log] == [(BOB, "Feed")]


async def test_the_writer_of_an_earlier_binding_of_that_name_is_not_blamed() -> None:
    here = ANoticer()
    await here.turn()
    here.arrives(wrote(at=here.clock.now()))
    assert await here.turn() == ["quick"]
    here.source.put(a_binding(made_at=here.clock.now() + timedelta(minutes=2)))

    assert await here.turn(EVERY) == LISTED
    assert [detail(record)["how"] for record in here.core.log] == ["List"]


@pytest.mark.parametrize("call", [wrote(""), wrote("", "deletecollection")], ids=["a name made up", "many"])
async def test_without_a_name_all_are_listed_but_not_all_the_time(call: Call) -> None:
    here = ANoticer()
    await here.turn()
    here.arrives(call)

    assert await here.turn() == []
    assert await here.turn(SOON) == LISTED
    assert await here.turn(SOON) == []


async def test_too_many_are_listed_instead() -> None:
    here = ANoticer()
    await here.turn()
    here.arrives(*(wrote(f"b-{number}") for number in range(MOST_WANTED + 10)))

    asked = await here.turn(SOON)
    assert (len(asked), asked[-2:]) == (MOST_WANTED + 2, LISTED)


async def test_another_policy_makes_a_list() -> None:
    here = ANoticer()
    here.source.put(a_binding(role="view"))
    await here.turn()
    assert here.told == []
    here.core.learn(offered("view", policy="viewing"))

    assert await here.turn(SOON) == LISTED
    assert here.told == ["binding.found_outside"]


async def test_what_is_not_there_any_more_is_gone() -> None:
    here = ANoticer()
    here.source.put(a_binding())
    await here.turn()
    here.source.there.clear()

    await here.turn(EVERY)
    assert here.told == ["binding.found_outside", "binding.gone_outside"]


async def test_half_a_list_proves_nothing_gone_and_is_read_again() -> None:
    here = ANoticer()
    here.source.put(a_binding())
    await here.turn()
    here.source.there.clear()
    here.source.error = Unavailable("list all RoleBindings: it is away")

    await here.turn(EVERY)
    assert here.told == ["binding.found_outside"]
    assert here.noticer.trouble == "Bindings outside Curfew may be unknown: list all RoleBindings: it is away"
    assert await here.turn(RETRY - MOMENT) == []
    here.source.error = None
    assert await here.turn(MOMENT) == LISTED
    assert here.told == ["binding.found_outside", "binding.gone_outside"]
    assert not here.noticer.trouble


async def test_a_binding_that_could_not_be_read_is_read_later() -> None:
    here = ANoticer()
    await here.turn()
    here.source.put(a_binding())
    here.source.error = Unavailable("it is away")
    here.arrives(wrote())
    await here.turn()
    here.source.error = None

    assert await here.turn(RETRY) == ["quick"]
    assert here.told == ["binding.found_outside"]


@pytest.mark.parametrize(
    "error", [Invalid("bad name"), NotFound("no kind"), TooLarge("too large"), Unavailable("later")]
)
async def test_a_binding_that_nobody_can_read_is_in_no_others_way(error: ClusterError) -> None:
    noticer = ANoticer()
    await noticer.turn()
    noticer.source.errors["bad"] = error
    noticer.source.put(a_binding("quick"))
    noticer.arrives(wrote("bad"), wrote("quick"))

    await noticer.turn()
    await noticer.turn(RETRY)
    await noticer.turn(RETRY)

    assert noticer.told == ["binding.found_outside"]


async def test_without_the_right_it_is_not_asked_all_the_time() -> None:
    here = ANoticer()
    here.source.error = Forbidden("list all RoleBindings: forbidden")

    assert await here.turn() == LISTED[:1]
    assert await here.turn(FORBIDDEN - MOMENT) == []
    assert await here.turn(MOMENT) == LISTED[:1]


async def test_what_is_counted_is_written_when_it_is_time_and_at_the_end() -> None:
    here = ANoticer()
    assert events(here.arrives(a_refusal(), a_refusal(), a_refusal())) == ["decision.refused", "person.seen"]
    await here.turn(timedelta(minutes=1))
    assert [detail(record)["count"] for record in here.core.log if record.event == "decision.refused"] == [1, 2]

    here.arrives(a_refusal(name="other"), a_refusal(name="other"))
    here.noticer.finish()
    assert [detail(record)["count"] for record in here.core.log if record.event == "decision.refused"] == [1, 2, 1, 1]


async def test_a_record_that_cannot_be_written_is_in_nobodys_way() -> None:
    here = ANoticer()
    here.source.put(a_binding("first"), a_binding("second", uid="uid-2"))
    submitted: list[str] = []

    def submit(record: Record) -> None:
        submitted.append(record.subject)
        if record.subject == "uid-1":
            raise NotCanonical("it is too large")

    here.noticer = Noticer(here.core.noticing, here.source, here.clock, every=EVERY, submit=submit)
    await here.turn()
    assert submitted == ["uid-1", "uid-2"]
    assert not here.noticer.trouble
