"""The monitor is killed anywhere in the ninety days and started again: the same alerts, and none of them twice.

A start knows only what the logs hold. The logs here are those of a smaller company with the same incidents, so that many kills
fit into a short time; `make soak` kills it much more often. The places are other ones each time.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from curfew.core.detectors.alert import WhichLog
from curfew.core.detectors.silences import AlertSilence, silence_ended, silenced
from tests.corpus.generating import Corpus, generate
from tests.corpus.monitoring import Arrival, Delay, Monitor, arrivals, before, out_of_step, settings, soon, with_outages
from tests.support.scale import drawn, seed, soaks
from tests.support.watching import ACTIVITY

KILLS = 200 if soaks() else 8
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Run:
    """A company, its records as they arrive, and what an undisturbed monitor made of them."""

    corpus: Corpus
    arriving: Sequence[Arrival]
    undisturbed: Monitor

    @property
    def decisive(self) -> list[int]:
        """The places in `arriving` of the records after which alerts were raised or resolved."""
        logs = self.undisturbed.logs[WhichLog.ACTIVITY]
        before = {former.id for former, record in pairwise(logs) if record.event in ("alert.raised", "alert.resolved")}
        return [place for place, one in enumerate(self.arriving) if one.record.id in before]


def run(corpus: Corpus, delay: Delay, *, is_looked_after: bool = False) -> Run:
    """Let a monitor follow the logs of a company."""
    arriving = arrivals(corpus, delay)
    undisturbed = a_monitor(corpus, is_looked_after=is_looked_after)
    undisturbed.follow(arriving)
    return Run(corpus, arriving, undisturbed)


def a_monitor(corpus: Corpus, *, is_looked_after: bool = False) -> Monitor:
    """Return a monitor that has just been installed."""
    return Monitor(settings(corpus), before(corpus), is_looked_after)


def with_silences(corpus: Corpus) -> Corpus:
    """Return a company that silences one detector for a month, and another one until somebody thinks better of it."""
    silences = [
        AlertSilence(
            f"s-{number}", f"quiet-{number}", corpus.begin + until * DAY, "known", "sam@example.com", detector=name
        )
        for number, (name, until) in enumerate((("UnusedGrant", 60), ("UnfamiliarPlace", 80)))
    ]
    told = [
        *(silenced(one, ACTIVITY, at=corpus.begin + 30 * DAY) for one in silences),
        silence_ended(silences[1], ACTIVITY, at=corpus.begin + 70 * DAY, why="it was removed"),
    ]
    return replace(corpus, activity=tuple(sorted((*corpus.activity, *told), key=lambda record: record.body["time"])))


@pytest.fixture(scope="module")
def small() -> Corpus:
    """Return a company of twenty."""
    return with_silences(generate(seed=1, people=20))


@pytest.fixture(scope="module", params=drawn(["out of step", "the bucket was away"], "arrivals"))
def company(request: pytest.FixtureRequest, small: Corpus) -> Run:
    """Return a company whose records arrive in one of two ways."""
    delays: dict[str, Callable[[], Delay]] = {
        "out of step": lambda: out_of_step,
        "the bucket was away": lambda: with_outages(small),
    }
    return run(small, delays[request.param](), is_looked_after=True)


def test_kills_lose_no_alert_and_repeat_none(company: Run) -> None:
    """Each kill comes after a record was read, and before, while or after what follows from it is appended."""
    chance = random.Random(f"{seed()} kills")  # noqa: S311  to be had again, not secret
    places = sorted(
        {*chance.sample(range(len(company.arriving)), KILLS // 2), *_some(company.decisive, KILLS - KILLS // 2, chance)}
    )
    monitor = a_monitor(company.corpus, is_looked_after=True)
    begun = 0
    for place in places:
        monitor.follow(company.arriving[begun:place])
        _die(monitor, company.arriving[place], kept=chance.choice((0, 0, 1, 99)))
        begun = place + 1
    monitor.follow(company.arriving[begun:])

    assert len(company.undisturbed.raised) > 25
    assert any("silenced_by" in record.block["detail"] for record in company.undisturbed.raised)
    assert _told(monitor) == _told(company.undisturbed), f"CURFEW_SEED={seed()}"


def test_what_happens_while_it_is_down_is_found_when_it_is_back(small: Corpus) -> None:
    """Nights, days and a weekend without a monitor: the deadlines of that time count as if it had been there."""
    company = run(small, soon)
    monitor, begun = a_monitor(small), 0
    chance = random.Random(f"{seed()} nights")  # noqa: S311  to be had again, not secret
    for place in sorted(_some(company.decisive, KILLS // 2, chance)):
        if place < begun:
            continue
        monitor.follow(company.arriving[begun:place])
        back = company.arriving[place].at + chance.choice((MINUTE, 5 * 60 * MINUTE, 48 * 60 * MINUTE))
        begun = next((at for at, one in enumerate(company.arriving) if one.at > back), len(company.arriving))
        for one in company.arriving[place:begun]:
            monitor.logs[one.log].append(one.record)
        monitor.start(back)
    monitor.follow(company.arriving[begun:])

    assert _told(monitor) == _told(company.undisturbed), f"CURFEW_SEED={seed()}"


def _die(monitor: Monitor, arrival: Arrival, *, kept: int) -> None:
    """Read a record, append only so many of the records that follow from it, and start again."""
    monitor.look(arrival.at)
    monitor.arrive(arrival.log, arrival.record)
    monitor.append(*monitor.engine.take()[:kept])
    monitor.start(arrival.at)


def _some(places: Sequence[int], number: int, chance: random.Random) -> list[int]:
    return chance.sample(places, min(number, len(places)))


def _told(monitor: Monitor) -> Counter[tuple[str, str, str]]:
    """Return all alerts with what silences them, and their ends, each as often as it is in the log."""
    return Counter(
        (record.event, record.id, str(record.block["detail"].get("silenced_by", "")))
        for record in (*monitor.raised, *monitor.resolved)
    )
