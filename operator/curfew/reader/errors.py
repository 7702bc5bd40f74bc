"""How reading a log may fail. `str(error)` is one or more sentences for people.

ReadingError
├── CannotRead     it cannot be read, which does not show whether it was tampered with
├── NotVerified    it was read up to a place that is not as it was written
├── NotExported    an export does not verify, or belongs to another history than the log
├── Apart          records between exports and the log are missing
└── NotUsable      an input is not of the kind that is needed
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
        """`finding` is the first fault."""
        super().__init__(
            f"The log does not verify. {printable(sentence(str(finding)))} "
            "Nothing from there on is shown; `curfew audit verify --all` lists all problems."
        )
        self.finding = finding


class NotExported(ReadingError):
    """An export that does not verify, or belongs to another history than the log."""


class Apart(ReadingError):
    """Between exports and a log, records are missing."""


class NotUsable(ReadingError):
    """An input that is not of the kind that is needed here."""


class Unfounded(Exception):
    """A log that does not even begin as logs do."""

    def __init__(self, finding: Finding) -> None:
        """`finding` is the problem."""
        super().__init__(str(finding))
        self.finding = finding
