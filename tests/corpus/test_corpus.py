"""All detectors with their default settings, over ninety days of a company of two hundred: what they find, and what they raise
that nobody needs.

The first seed was looked at while the detectors and their defaults were made. The second was chosen once, before its first run,
and nothing was ever changed because of what it showed.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from curfew.core.detectors.all import DETECTORS
from tests.corpus.generating import PEOPLE, Corpus, generate
from tests.corpus.judging import Judgement, judge
from tests.corpus.monitoring import Monitor, arrivals, before, settings, with_outages
from tests.support.scale import soaks

TUNED, UNSEEN = 1, 2

MOST_FALSE = 1.0
"""False alerts in 100 ordinary person-days."""


@pytest.fixture(scope="module")
def tuned(corpus: Corpus) -> Judgement:
    """Return what was found in the corpus that was looked at."""
    return _judged(corpus)


@pytest.fixture(scope="module")
def unseen() -> Judgement:
    """Return what was found in a corpus that was not looked at; outside of `make soak`, that of a smaller company."""
    return _judged(generate(seed=UNSEEN, people=PEOPLE if soaks() else 60))


def test_every_detector_has_an_incident(corpus: Corpus) -> None:
    """There are more than thirty, and each is somebody's."""
    assert len(corpus.planted) >= 30
    assert {one.detector for one in corpus.planted} >= set(DETECTORS)


def test_every_incident_is_found_and_hardly_anything_else(
    tuned: Judgement, record_property: Callable[[str, object], None]
) -> None:
    """With default settings."""
    record_property("of the first seed", f"\n{tuned.table()}")

    assert tuned.missed == ()
    assert tuned.rate <= MOST_FALSE


def test_what_is_odd_is_no_incident(tuned: Judgement) -> None:
    """What was agreed upon, a bad week and a second laptop raise nothing; of the seven who travel, some are asked."""
    odd = {what: len(alerts) for what, alerts in tuned.about_odd().items()}

    assert odd.pop("travel") <= 4
    assert odd == dict.fromkeys(odd, 0)


def test_a_seed_that_nobody_looked_at_gives_the_same(
    tuned: Judgement, unseen: Judgement, record_property: Callable[[str, object], None]
) -> None:
    """Within noise: the number of false alerts is a count, and so is its difference."""
    record_property("of the second seed", f"\n{unseen.table()}")
    expected = len(tuned.false) * unseen.corpus.person_days / tuned.corpus.person_days
    noise = 3 * (expected + len(unseen.false)) ** 0.5

    assert unseen.missed == ()
    assert unseen.rate <= MOST_FALSE
    assert abs(expected - len(unseen.false)) <= noise


if soaks():  # two hundred thousand records, and the whole quarter once more

    def test_a_feed_that_is_confirmed_each_minute_gives_the_same(tuned: Judgement) -> None:
        """As it is in life."""
        judgement = _judged(generate(seed=TUNED, heartbeat=timedelta(minutes=1)))

        assert judgement.missed == ()
        assert len(judgement.false) == len(tuned.false)

    def test_a_bucket_that_is_away_is_taken_for_late_ends_and_nothing_else(tuned: Judgement) -> None:
        """Ends that cannot be recorded are not known to be ends. As soon as they are, the alerts are resolved."""
        monitor = Monitor(settings(tuned.corpus), before(tuned.corpus))
        monitor.follow(arrivals(tuned.corpus, with_outages(tuned.corpus)))
        judgement = judge(tuned.corpus, monitor.raised)
        more = Counter(alert.detector for alert in judgement.false) - Counter(alert.detector for alert in tuned.false)

        assert judgement.missed == ()
        assert set(more) == {"LateRemoval"}
        assert judgement.rate <= MOST_FALSE
        assert not [alert for alert in monitor.engine.open() if alert.detector == "LateRemoval"]


def _judged(corpus: Corpus) -> Judgement:
    """Let a monitor follow both logs, and compare what it raises with what was planted."""
    monitor = Monitor(settings(corpus), before(corpus))
    monitor.follow(arrivals(corpus))
    return judge(corpus, monitor.raised)
