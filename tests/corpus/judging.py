"""How the alerts compare with what was planted, detector by detector."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from curfew.audit.record import Record
from curfew.core.detectors.all import DETECTORS
from curfew.core.detectors.records import ToldAlert, told
from tests.corpus.generating import Corpus
from tests.corpus.life import Planted


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of the incidents, and the alerts that are about none of them."""

    corpus: Corpus = field(repr=False)
    found: tuple[Planted, ...]
    missed: tuple[Planted, ...]
    false: tuple[ToldAlert, ...]

    @property
    def rate(self) -> float:
        """False alerts in 100 ordinary person-days."""
        return 100 * len(self.false) / self.corpus.person_days

    def table(self) -> str:
        """Return the table, detector by detector."""
        found, missed = (Counter(one.detector for one in those) for those in (self.found, self.missed))
        false = Counter(one.detector for one in self.false)
        per = self.corpus.person_days / 100
        lines = [f"{'detector':24}{'planted':>8}{'found':>7}{'missed':>8}{'false':>7}{'in 100 person-days':>20}"]
        for name in DETECTORS:
            planted = found[name] + missed[name]
            lines.append(f"{name:24}{planted:8}{found[name]:7}{missed[name]:8}{false[name]:7}{false[name] / per:20.3f}")
        planted, wrong = len(self.found) + len(self.missed), len(self.false)
        lines.append(f"{'all':24}{planted:8}{len(self.found):7}{len(self.missed):8}{wrong:7}{self.rate:20.3f}")
        lines += ["", f"{'taken for an incident':40}{'false':>7}"]
        lines += [f"{what:40}{len(alerts):7}" for what, alerts in self.about_odd().items()]
        return "\n".join(lines)

    def about_odd(self) -> dict[str, list[ToldAlert]]:
        """Return the false alerts that took something odd for an incident."""
        odd = self.corpus.life.odd
        return {
            what: [
                alert
                for alert in self.false
                if any(
                    one.what == what
                    and alert.detector in one.detectors
                    and one.since <= alert.at <= one.until
                    and (not alert.people or one.people & set(alert.people))
                    for one in odd
                )
            ]
            for what in dict.fromkeys(one.what for one in odd)
        }


def judge(corpus: Corpus, raised: Sequence[Record]) -> Judgement:
    """Compare alerts with what was planted."""
    alerts = [alert for alert in map(told, raised) if alert is not None]
    planted = [one for one in corpus.planted if one.detector in DETECTORS]
    found = {one for one in planted if any(_is_about(alert, one, one.detector) for alert in alerts)}
    false = [
        alert
        for alert in alerts
        if not any(_is_about(alert, one, detector) for one in corpus.planted for detector in (one.detector, *one.also))
    ]
    return Judgement(
        corpus,
        tuple(one for one in planted if one in found),
        tuple(one for one in planted if one not in found),
        tuple(false),
    )


def _is_about(alert: ToldAlert, planted: Planted, detector: str) -> bool:
    """Whether an alert is one of a detector about an incident: in its time, about its people, under its policy."""
    if alert.detector != detector or not planted.since <= alert.at <= planted.until:
        return False
    if planted.people and alert.people and not set(planted.people) & set(alert.people):
        return False
    namespace, policy = planted.policy
    return (not namespace or alert.namespace in ("", namespace)) and (not policy or alert.policy in ("", policy))
