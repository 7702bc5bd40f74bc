"""The trail's own records about itself."""

from datetime import datetime

from curfew.audit.record import CURFEW, Record, make_record
from curfew.audit.segment import Head, Segment
from curfew.core.trail_state import Outage
from curfew.ports import Attestation
from curfew.trail.samples import Discrepancy


def opened(log: str, *, at: datetime, verifier_key: str) -> Record:
    """The first record of a log. It names the key, so that a reader without one can at least see who claims to write."""
    message = f"The log {log} begins; it is signed by {verifier_key}."
    return make_record(
        "audit.opened", at=at, actor=CURFEW, message=message, subject=log, detail={"verifier_key": verifier_key}
    )


def outage(log: str, outage: Outage, *, writer: str) -> tuple[Record, Record]:
    """Begin and end of a time when nothing could be written. Both can only be recorded when it is over."""
    seconds = round((outage.until - outage.since).total_seconds())
    qualifier = f"{writer}/{outage.since.isoformat()}"
    failed = make_record(
        "audit.sink_failed",
        at=outage.since,
        actor=CURFEW,
        message=f"Nothing could be written to the log: {outage.trouble.message}",
        subject=log,
        qualifier=qualifier,
        success=False,
        detail={"reason": str(outage.trouble.reason), "writer": writer},
    )
    recovered = make_record(
        "audit.sink_recovered",
        at=outage.until,
        actor=CURFEW,
        message=f"The log can be written again, after {seconds} s.",
        subject=log,
        qualifier=qualifier,
        detail={"seconds": seconds, "failed": failed.id, "writer": writer},
    )
    return failed, recovered


def attested(log: str, attestation: Attestation, *, url: str, writer: str) -> Record:
    """What was proved about whether the store is write-once."""
    proved = "is proved to be write-once" if attestation.sufficient else "is not proved to be write-once"
    findings = "".join(f" {finding}" for finding in attestation.findings)
    return make_record(
        "audit.attested",
        at=attestation.at,
        actor=CURFEW,
        message=f"{url} {proved} (evidence: {attestation.evidence}).{findings}",
        subject=log,
        qualifier=f"{writer}/{attestation.at.isoformat()}",
        success=attestation.sufficient,
        detail={
            "evidence": str(attestation.evidence),
            "sufficient": attestation.sufficient,
            "findings": list(attestation.findings),
            "store": url,
            "writer": writer,
        },
    )


def verification_failed(log: str, discrepancy: Discrepancy, *, at: datetime, writer: str) -> Record:
    """A segment does not read back as it was stored."""
    sample = discrepancy.sample
    return make_record(
        "audit.verification_failed",
        at=at,
        actor=CURFEW,
        message=str(discrepancy),
        subject=log,
        qualifier=discrepancy.key,
        success=False,
        detail={
            "segment": sample.name,
            "stored": sample.digest.hex(),
            **({"found": discrepancy.found} if discrepancy.found is not None else {}),
            "writer": writer,
        },
    )


def leader_changed(log: str, found: Head, *, at: datetime, writer: str, before: str) -> Record:
    """Another replica writes the log from here on. `found` is the log as that replica found it."""
    return make_record(
        "audit.leader_changed",
        at=at,
        actor=CURFEW,
        message=f"{writer} leads and writes the log from here on; {before} wrote segment {found.seq}, the last before it.",
        subject=log,
        qualifier=f"{writer}/{found.next_name()}",
        detail={"before": before, "segment": found.seq, "writer": writer},
    )


def writer_changed(log: str, segment: Segment, *, at: datetime, writer: str) -> Record:
    """Another process appended while this one was writing: expected when the leader changes, an alarm otherwise."""
    return make_record(
        "audit.writer_changed",
        at=at,
        actor=CURFEW,
        message=f"{segment.writer} appended segment {segment.seq} while {writer} was writing.",
        subject=log,
        qualifier=segment.name,
        detail={"other": segment.writer, "segment": segment.seq, "records": len(segment.lines), "writer": writer},
    )
