"""What a thief of the operator's token writes into a status while the operator runs: nothing of it is believed or signed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.api.times import format_time
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.record import CURFEW, Entity, Record, Story, make_record
from curfew.audit.rotation import rotation
from curfew.audit.segment import origin
from curfew.core.seals import Seals
from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC, Body, Person
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.thief import a_thief, patch_status, write_status
from tests.support.operator_process import OperatorProcess, dead
from tests.support.pausing import a_moment

ReadLog = Callable[[OperatorProcess], Evidence]

NOBODY: Final = "11111111-1111-4111-8111-111111111111"
"""The UID of a request that never was."""


@pytest.fixture
async def thief(cluster: Installed) -> AsyncIterator[Person]:
    """Return whoever has stolen the operator's own token."""
    async with a_thief(cluster) as made:
        yield made


def forged(operator: OperatorProcess, asked: Asked) -> list[Record]:
    """Return what a thief would like to have in the log."""
    ours = Ed25519Signer.from_pem(origin(operator.log_id), operator.signing_key.encode())
    theirs = Ed25519Signer(origin(operator.log_id), Ed25519PrivateKey.generate())
    bob, at = asked.place.people.bob.name, now()
    real = Story(uid=asked.uid, namespace=asked.place.namespace, request=asked.name, requester="mallory")
    never = Story(uid=NOBODY, namespace=asked.place.namespace, request="never", requester="mallory")
    policy = Entity(f"{asked.place.namespace}/debug", "AccessPolicy", NOBODY)
    return [
        rotation(operator.log_id, at=at, old=ours, new=theirs),
        make_record("review.submitted", at=at, actor=bob, message="bob approved", story=real, qualifier="forged"),
        make_record("review.approved", at=at, actor=CURFEW, message="approved", story=real, qualifier="forged"),
        make_record("request.accepted", at=at, actor=bob, message="accepted", story=never),
        make_record("grant.intended", at=at, actor=CURFEW, message="granted", story=real, qualifier="forged"),
        make_record("policy.deleted", at=at, actor="dave", message="gone", entity=policy),
    ]


async def test_a_forged_outbox_is_neither_signed_nor_in_anybodys_way(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """Not with a seal of the thief's own either, and not at the next start: Revoke is carried out, the log verifies."""
    asked = await place.active(place.people.alice)
    records, seals = forged(operator, asked), Seals(b"a thief's")
    entries: list[Body] = [{"record": record.line().decode(), "seal": "00" * 32} for record in records]
    entries += [seals.seal(asked.uid, record) for record in records[1:3]]
    before = operator.metric("curfew_warnings_total", reason="OutboxAltered")

    def is_cleared() -> bool:
        return not any(entry in entries for entry in asked.status["outbox"])

    await write_status(thief, asked, outbox=entries)
    await asked.until(is_cleared, "an outbox without what was forged")
    with dead(operator):
        await write_status(thief, asked, outbox=entries)
    await asked.until(is_cleared, "an outbox without what was forged after a start")
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", "RevokedByApprover")
    assert before == 0
    evidence = await asyncio.to_thread(read_log, operator)
    told = evidence.record(asked.uid, "request.outbox_altered").block["detail"]
    assert told["entries"] == len(entries)
    assert evidence.story(NOBODY) == []
    assert not {record.id for record in records} & {record.id for record in evidence.records}
    assert len(evidence.verified.keys) == 1
    warned = [event for event in await asked.events("OutboxAltered") if event["reason"] == "OutboxAltered"]
    assert [event["type"] for event in warned] == ["Warning"]


async def test_a_forged_phase_makes_no_grant(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """Nobody agreed; the status says Active and the binding is made at once: the log does not announce it, so it goes."""
    real = await place.active(place.people.carol)
    made = (await real.binding_now()).done()
    asked = await place.pending(place.people.alice)
    start = now().replace(microsecond=0)
    end = start + timedelta(minutes=1)
    grant = {
        **{key: made[key] for key in ("apiVersion", "kind", "roleRef")},
        "metadata": {
            "name": f"curfew-{asked.uid}",
            "namespace": place.namespace,
            "labels": {"curfew.dev/request-uid": asked.uid},
            "annotations": {
                **made["metadata"]["annotations"],
                "curfew.dev/request": asked.name,
                "curfew.dev/terms": asked.status["terms"]["digest"],
                "curfew.dev/starts-at": format_time(start),
                "curfew.dev/expires-at": format_time(end),
            },
            "ownerReferences": [
                {**made["metadata"]["ownerReferences"][0], "name": asked.name, "uid": asked.uid},
            ],
        },
        "subjects": [{**made["subjects"][0], "name": place.people.alice.name}],
    }
    times = {"startsAt": format_time(start), "grantedAt": format_time(start), "expiresAt": format_time(end)}
    patched, posted = await asyncio.gather(
        patch_status(thief, asked.path, phase="Active", **times),
        thief.post(f"{RBAC}/namespaces/{place.namespace}/rolebindings", grant),
    )
    assert patched.is_ok, patched.message
    assert posted.is_ok, posted.message
    gone_at = await asked.unbound()
    await asked.closed()

    assert gone_at < end - timedelta(seconds=30)
    assert asked.status["phase"] == "Revoked"
    async with asyncio.timeout(SOON):
        while "request.closed" not in (told := (await asyncio.to_thread(read_log, operator)).story(asked.uid)):
            await a_moment()
    assert "grant.intended" not in told
    assert {"grant.drifted", "grant.orphan_removed", "grant.binding_removed"} & set(told)
