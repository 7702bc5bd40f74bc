"""The operator's signing key is exchanged, and its checkpoints are put up for others to keep: real process, bucket and API."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from curfew.api.names import CHECKPOINT_CONFIG_MAP, CHECKPOINT_KEY
from curfew.audit.checkpoint import Ed25519Signer, open_note
from curfew.audit.segment import origin
from curfew.cli import main
from tests.integration.installed import CHART, SYSTEM, Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Place
from tests.support.operator_process import OperatorProcess

Audit = Callable[..., Awaitable[Result]]

LOG = "keys"
"""A log of its own: on the one ConfigMap of the cluster, no other operator's checkpoint is taken for one of it."""


def a_key() -> str:
    """Return a new private key in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(pem: str) -> str:
    """Return the verifier key of a private one."""
    return Ed25519Signer.from_pem(origin(LOG), pem.encode()).verifier_key


@pytest.fixture
def operator(new_operator: Callable[..., OperatorProcess]) -> Iterator[OperatorProcess]:
    """Return an operator that is not started, with a log of its own."""
    process = new_operator(log=LOG)
    yield process
    process.kill()


@pytest.fixture
def audit(cluster: Installed, operator: OperatorProcess) -> Audit:
    """Return what runs `curfew audit` on the operator's bucket."""

    async def run(command: str, *arguments: str) -> Result:
        typed = ["audit", command, operator.store, "--log", LOG, *arguments]
        runner = CliRunner(env=cluster.environment.s3.env())
        return await asyncio.to_thread(runner.invoke, main, typed, prog_name="curfew")

    return run


async def test_a_key_is_exchanged_and_the_log_goes_on(
    operator: OperatorProcess,
    place: Place,
    audit: Audit,
    read_log: Callable[[OperatorProcess], Evidence],
) -> None:
    """With a grant under each key; the new one alone is refused before, and verifies all afterwards."""
    old, new = operator.signing_key, a_key()
    operator.start()
    operator.await_ready()
    await place.active(place.people.alice)
    operator.kill()

    # The new key, and not a word of the old one: nothing is written, and it is said what is missing.
    operator.write("new.pem", new)
    operator.configure(keyFile="new.pem")
    operator.start()
    operator.await_answer(lambda _, said: "audit.previousKeyFile" in said["parts"]["trail"], "miss the old key")
    operator.kill()

    operator.configure(previousKeyFile="key.pem")
    operator.start()
    operator.await_ready()
    await place.active(place.people.carol)
    operator.kill()
    operator.start()
    operator.await_ready()
    operator.stop()

    evidence = read_log(operator)
    assert [str(tenure.verifier) for tenure in evidence.verified.keys] == [public(old), public(new)]
    assert [record.event for record in evidence.records].count("audit.key_rotated") == 1
    assert evidence.twice == []
    for key in (old, new):
        verified = await audit("verify", "--key", public(key))
        assert verified.exit_code == 0, verified.stderr
    stranger = await audit("verify", "--key", public(a_key()))
    assert stranger.exit_code == 1
    told = await audit("key")
    assert [line.split()[0] for line in told.stdout.splitlines()] == [public(old), public(new)]


async def test_the_newest_checkpoint_is_an_anchor_on_a_config_map(
    cluster: Installed,
    operator: OperatorProcess,
    place: Place,
    audit: Audit,
    read_log: Callable[[OperatorProcess], Evidence],
    tmp_path: Path,
) -> None:
    """With the rights of the chart and no more; the log holds that very note, and `verify --anchor` takes it.

    Beside that, its records are on standard output, each as the log holds it.
    """
    operator.configure(forward={"stdout": True})
    operator.start()
    operator.await_ready()
    await place.active(place.people.alice)
    size = await_anchored(operator)
    operator.stop()

    shown = cluster.kubectl("get", "configmap", CHECKPOINT_CONFIG_MAP, "--namespace", SYSTEM, "--output=json").stdout
    note = json.loads(shown)["data"][CHECKPOINT_KEY]
    verifier = Ed25519Signer.from_pem(origin(LOG), operator.signing_key.encode()).verifier
    checkpoint = open_note(note, verifier)
    assert checkpoint.size >= size
    (tmp_path / "anchor.json").write_text(shown)
    anchored = await audit("verify", "--key", str(verifier), "--anchor", str(tmp_path / "anchor.json"))
    assert anchored.exit_code == 0, anchored.stderr
    assert "cut off" not in anchored.stdout.split("Note:")[0]
    evidence = read_log(operator)
    assert evidence.verified.records >= checkpoint.size > 3
    sent = [line for line in operator.lines() if line.get("curfew") == "audit"]
    assert [line["index"] for line in sent] == list(range(evidence.verified.records))
    assert [line["record"] for line in sent] == [record.body for record in evidence.records]

    # A chart that is upgraded leaves it where it is.
    cluster.environment.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, "--reuse-values")
    after = cluster.kubectl("get", "configmap", CHECKPOINT_CONFIG_MAP, "--namespace", SYSTEM, "--output=json").stdout
    assert json.loads(after)["data"][CHECKPOINT_KEY] == note


def await_anchored(operator: OperatorProcess) -> int:
    """Return the size of the log in a checkpoint that was put up after the grant's announcement was durable."""
    operator.await_so(
        lambda: operator.metric("curfew_audit_anchored_records") >= operator.metric("curfew_audit_records_total") > 3,
        "put up a checkpoint",
        30,
    )
    return int(operator.metric("curfew_audit_anchored_records"))
