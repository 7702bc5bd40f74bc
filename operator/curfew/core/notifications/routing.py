"""Which messages a route takes."""

import fnmatch
from dataclasses import dataclass

from curfew.core.detectors.alert import Severity
from curfew.core.notifications.message import Message, Occasion


@dataclass(frozen=True, slots=True)
class Match:
    """What a route asks of a message. What is empty asks for nothing."""

    topics: frozenset[Occasion] = frozenset()
    namespaces: tuple[str, ...] = ()  # names, with * for any characters
    policies: tuple[str, ...] = ()  # the same; of policies in any namespace
    detectors: tuple[str, ...] = ()
    severity: Severity = Severity.LOW  # the least

    def takes(self, message: Message) -> bool:
        """Whether a message goes by this route."""
        return (
            (not self.topics or message.topic in self.topics)
            and message.severity >= self.severity
            and _fits(self.namespaces, message.namespace)
            and _fits(self.policies, message.policy)
            and (not self.detectors or message.detector in self.detectors)
        )


def _fits(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
