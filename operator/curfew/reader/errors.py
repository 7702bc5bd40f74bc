"""How reading a log may fail. `str(error)` is one or more sentences for people.

ReadingError
├── CannotRead     it cannot be read, which says nothing about whether it was tampered with
├── NotVerified    it was read up to a place that is not as it was written
├── NotExported    an export does not verify, or belongs to another history than the log
├── Apart          records between exports and the log are missing
└── NotUsable      what was given is something else than what is needed
"""

from curfew.audit.findings import Finding
from curfew.audit.wording import printable, sentence


class ReadingError(Exception):
    """Something kept a log from being read to its end."""


class CannotRead(ReadingError):
    """The log cannot be read. That does not show whether it was tampered with."""


class NotVerified(ReadingError):
    """The log is not whole, and was read up to its first bad place."""

    def __init__(self, finding: Finding) -> None:
        """`finding` is the first."""
        super().__init__(
            f"The log does not verify. {printable(sentence(str(finding)))} "
            "Nothing from there on is shown; `curfew audit verify --all` lists all problems."
        )
        self.finding = finding


class NotExported(ReadingError):
    """An export that does not verify, or belongs to another history than the log."""


class Apart(ReadingError):
    """Exports and a log between which records are missing."""


class NotUsable(ReadingError):
    """Something was given that is not what is needed here."""


class Unfounded(Exception):
    """A log that does not even begin as logs do."""

    def __init__(self, finding: Finding) -> None:
        """`finding` is the problem."""
        super().__init__(str(finding))
        self.finding = finding
