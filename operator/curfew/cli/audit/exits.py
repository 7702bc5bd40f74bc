"""Exit codes of the audit commands, and the exit code of each kind of error."""

from curfew.reader.errors import Apart, CannotRead, NotExported, NotUsable, NotVerified, ReadingError

VERIFIED, TAMPERED, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES: dict[type[ReadingError], int] = {
    CannotRead: UNREADABLE,
    NotVerified: TAMPERED,
    NotExported: TAMPERED,
    Apart: USAGE,
    NotUsable: USAGE,
}
"""Every kind of error. Exit code 1 is an accusation, so only evidence of tampering has it."""
