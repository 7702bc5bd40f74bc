"""The story: a grant from asking to its end, what was written of it, and attempts to change that."""

import json
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import zstandard

from tools.demo.access import Caller, Change, find_written
from tools.demo.activity import ActivitySteps
from tools.demo.locking import LockStep
from tools.demo.narration import Narrator
from tools.demo.stage import BUCKET, NAMESPACE, Stage
from tools.demo.telling import Telling
from tools.demo.waiting import WaitingStep
from tools.installation import OPERATOR
from tools.servers.pki import PEOPLE
from tools.servers.progress import Progress

PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
WITHIN: Final = timedelta(seconds=1)
"""How soon access must be there after the approval, and how soon gone after its end."""

HURRY: Final = timedelta(seconds=2)
"""How long before the end alice's calls begin to follow each other without a pause."""

ROOM: Final = timedelta(seconds=20)
"""How much of alice's minute has to be left for one more step."""

PATIENCE_SECONDS: Final = 60.0

LIFE: Final = (
    "request.created",
    "request.accepted",
    "review.submitted",
    "review.approved",
    "grant.intended",
    "grant.activated",
    "grant.expired",
    "request.closed",
)
"""What the trail must hold of the request in the end, each exactly once."""

APPROVE: Final = """\
kubectl --context {who} patch accessrequest inc-4711 -n payments --subresource=status --type=json -p '[
  {{"op": "add", "path": "/status/decisions/-",
   "value": {{"by": "{who}@example.com", "decision": "Approve", "stage": "owners"}}}}]'"""


class Story:
    """The steps, in the order of `tell`. Each checks what it shows."""

    def __init__(self, stage: Stage, narrator: Narrator, *, keep: bool) -> None:
        """Tell nothing yet. With `keep`, the servers stay up at the end."""
        self._stage = stage
        self._keep = keep
        self._tell = narrator
        self._activity = ActivitySteps(stage, narrator)
        self._locks = LockStep(stage, narrator)
        self._telling = Telling(stage.inbox, narrator)
        self._waiting = WaitingStep(stage, narrator)
        self._figures: list[str] = []
        self._approved_at = datetime.now(UTC)
        self._request: dict[str, Any] = {}
        # Each is set by the step that sees it.
        self._alice: Caller
        self._begun: Change
        self._ended: Change

    def tell(self) -> None:
        """Tell all of it."""
        is_monitored, activity = self._stage.has_monitor, self._activity
        before: list[Callable[[], None]] = [
            self.servers,
            *([self.bucket] if self._stage.store == "s3" else []),
            self.chart,
            self.operator,
            *([activity.monitor] if is_monitored else []),
            self.offer,
            self.nobody_has_access,
            self.alice_asks,
            self.nobody_approves_themselves,
            self.bob_approves,
            self.access_is_there,
            *([activity.alice_uses_it] if is_monitored else []),
        ]
        meanwhile: deque[Callable[[], None]] = deque(
            [
                self.what_people_see,
                self.the_trail,
                *([self.the_bucket_keeps] if self._stage.store == "s3" else []),
                self.an_edited_copy,
                *([activity.while_it_lasts, activity.bob_only_reads] if is_monitored else []),
                self._waiting.where_requests_wait,
                self._locks.one_command_stops_him,
            ]
        )
        for step in before:
            step()
        # Alice's minute goes on: what a slow machine has no time for is shown after its end.
        while meanwhile and self._expires_at() - datetime.now(UTC) > ROOM:
            meanwhile.popleft()()
        after: list[Callable[[], None]] = [
            self.the_end,
            self.access_is_gone,
            self.how_exact,
            *meanwhile,
            self.the_whole_record,
            *([activity.what_was_done] if is_monitored else []),
        ]
        for step in after:
            step()

    # --- before ---------------------------------------------------------------------------------------------------------

    def servers(self) -> None:
        """Start a control plane and a bucket server."""
        tell, stage = self._tell, self._stage
        tell.title("A real control plane and a real bucket server" if stage.store == "s3" else "A real control plane")
        stage.start_servers()
        tell.environ = stage.environ
        tell.show([", ".join(stage.processes())])
        tell.run("kubectl version", says="Server Version: v1.")
        if stage.environment.choice == "local":
            tell.say(
                "Stock servers, built from their pinned sources, on loopback. Each person has a certificate and a context: "
                "alice, bob, carol, dave and the admin, whose context is the default."
            )
        else:
            tell.say("An existing cluster, or one in containers. Each context acts as one person, by impersonation.")
        if self._keep:
            tell.show([f"To type along, in another terminal: . {stage.env_file}"])
        else:
            tell.show(["To type along, start the demo with make demo KEEP=1: then it stays up."])

    def bucket(self) -> None:
        """Make the bucket."""
        tell = self._tell
        tell.title("A bucket that keeps what is written to it")
        tell.run(f"python -m tools.bucket mb s3://{BUCKET}", says="locked")
        tell.say(
            "Object Lock in mode COMPLIANCE: nobody can delete a version within its one day of retention, whatever keys they "
            "have."
        )

    def chart(self) -> None:
        """Install the chart."""
        tell, stage = self._tell, self._stage
        tell.title("Curfew's chart")
        tell.run("kubectl create namespace payments", says="created")
        install = "helm install curfew charts/curfew -n curfew-system --create-namespace --values examples/values.yaml"
        if stage.store == "file":
            install += f" \\\n  --set config.audit.url={stage.url} --set config.audit.worm=advisory --set replicas=1"
        if stage.has_monitor:
            install += " \\\n  --set monitor.enabled=true"
        tell.run(install, says="STATUS: deployed", lines=7)
        stage.installation.await_in_force()
        tell.say(
            "Installed: two kinds, the admission policies, service accounts with the least rights, a signing key. Each policy "
            "has refused what it must refuse, so the policies are in force."
        )

    def operator(self) -> None:
        """Start the operator."""
        tell, stage = self._tell, self._stage
        tell.title("The operator")
        tell.announce('curfew operator --config "$DEMO/operator.yaml" --kubeconfig "$DEMO/operator.kubeconfig"')
        parts = stage.start_operator()
        tell.show([f"{name}: {said}" for name, said in parts.items()])
        tell.say(
            "Nothing here runs pods, so the operator runs as a process, with what its pod would have: a token of the chart's "
            "service account, the chart's settings, the chart's key. It has proved that the bucket is write-once; before "
            "that, it grants nothing."
            if stage.store == "s3"
            else "The operator runs as a process, with the token, the settings and the key that its pod would have. The trail "
            "is in a folder, which is not write-once: the settings allow that (worm: advisory)."
        )

    def offer(self) -> None:
        """Set up who may do what."""
        tell = self._tell
        tell.title("The team offers something")
        tell.run(
            "kubectl apply -f examples/role.yaml -f examples/policy.yaml", says="accesspolicy.curfew.dev/debug created"
        )
        tell.run(
            "kubectl wait -n payments --for=condition=Ready accesspolicy/debug --timeout=20s", says="condition met"
        )
        tell.run("kubectl run worker -n payments --image=payments-worker:1.4", says="created")
        tell.run("kubectl create configmap worker -n payments --from-literal=logLevel=info", says="created")
        tell.say(
            "RBAC defines who may ask (alice, bob) and who may approve (bob, carol). The pod and its ConfigMap are there to be "
            "looked at; without a node, the pod stays Pending."
        )

    def nobody_has_access(self) -> None:
        """Show alice without access."""
        tell = self._tell
        self._alice = self._stage.caller("alice")
        tell.title("Before: alice has no access")
        tell.run("kubectl --context alice auth can-i list pods -n payments", says="no", fails=True)
        tell.run("kubectl --context alice get pods -n payments", says='cannot list resource "pods"', fails=True)

    # --- asking and deciding --------------------------------------------------------------------------------------------

    def alice_asks(self) -> None:
        """Apply the request."""
        tell = self._tell
        tell.title("Alice asks")
        tell.run("kubectl --context alice apply -f examples/request.yaml", says="created")
        tell.run(
            "kubectl --context alice wait -n payments --for=jsonpath='{.status.phase}'=Pending accessrequest/inc-4711",
            says="condition met",
        )
        tell.run("kubectl --context alice get accessrequest -n payments", says=("Pending", PEOPLE["alice"], "0/1"))
        tell.say("The file does not name alice: the API server knows who she is and filled in her name.")
        if self._stage.has_monitor:
            self._telling.bob_hears()

    def nobody_approves_themselves(self) -> None:
        """Have alice try to approve her own request."""
        tell = self._tell
        tell.title("Alice tries to approve it herself")
        tell.run(APPROVE.format(who="alice"), says="you cannot approve a request that you made", fails=True)
        tell.say(
            "The API server itself refused it, by an admission policy. Neither a webhook nor the operator was asked."
        )
        if self._stage.has_monitor:
            self._telling.security_hears()

    def bob_approves(self) -> None:
        """Have bob approve, and watch alice's access begin."""
        tell = self._tell
        tell.title("Bob approves, with bare kubectl")
        with ThreadPoolExecutor(max_workers=1) as alice:
            begins = alice.submit(self._alice.until, PODS, HTTPStatus.OK, 30.0)
            self._approved_at = datetime.now(UTC)
            try:
                tell.run(APPROVE.format(who="bob"), says="patched")
                typing = datetime.now(UTC) - self._approved_at
            except BaseException:
                self._alice.stop()  # or the pool would wait for her
                raise
            self._begun = begins.result()
        self._request = self._read_request()
        late = self._begun.after.answered - self._approved_at
        tell.expect(
            late < WITHIN + typing,  # how long kubectl takes on a busy machine is not Curfew's
            f"alice's access was there {_ms(late)} after bob had pressed Enter, and his command took {_ms(typing)}; "
            "expected: 1 s more at most",
        )
        tell.say(f"Alice's first call that succeeded was answered {_ms(late)} after bob had pressed Enter.")

    def access_is_there(self) -> None:
        """Show alice with access."""
        tell = self._tell
        tell.title("During: alice has access, and it says until when")
        tell.run("kubectl --context alice auth can-i list pods -n payments", says="yes")
        tell.run("kubectl --context alice get pods -n payments", says="worker")
        tell.run("kubectl --context alice get accessrequest -n payments", says=("Active", "1/1"))
        tell.run(
            "kubectl describe rolebinding -n payments -l curfew.dev/request-uid",
            says=("expires-at", "receipt", "payments-debug"),
        )
        tell.say("The binding carries its own end, and the receipt of the record that was durable before it was made.")

    # --- what is seen meanwhile -----------------------------------------------------------------------------------------

    def what_people_see(self) -> None:
        """Show the Events."""
        tell = self._tell
        tell.title("What people see")
        tell.run("kubectl get events -n payments --sort-by=.metadata.creationTimestamp", says="inc-4711")

    def the_trail(self) -> None:
        """Show the trail, and verify it."""
        tell, url = self._tell, self._stage.url
        tell.title("What is written down")
        tell.run(f"curfew audit tail {url}", says=("grant.intended", "grant.activated", PEOPLE["bob"]))
        tell.run(
            "kubectl get secret curfew-signing-key -n curfew-system -o jsonpath='{.data.key\\.pem}' | base64 -d "
            '> "$DEMO/signing.pem"'
        )
        tell.run('curfew audit key "$DEMO/signing.pem" | tee "$DEMO/curfew.pub"', says="curfew.dev/log/main+")
        tell.run('kubectl get accessrequest inc-4711 -n payments -o json > "$DEMO/request.json"')
        tell.run(
            f'curfew audit verify {url} --key-file "$DEMO/curfew.pub" --anchor "$DEMO/request.json"',
            says="Verified: log main",
        )
        tell.say(
            "The auditor needs the public key and, as an anchor, the receipt in any request: if the log were cut off before "
            "that record, it would not verify. verify does not ask the cluster."
        )

    def the_bucket_keeps(self) -> None:
        """Try to delete and to overwrite."""
        tell = self._tell
        key = self._segment_of("grant.intended")
        record = f"{self._stage.url}/{key}"
        tell.title("Somebody with all keys to the bucket tries to change it")
        tell.run(f"python -m tools.bucket rm {record}", says="403 AccessDenied", fails=True)
        tell.say("The record of the grant cannot be deleted: Object Lock.")
        tell.run(f"python -m tools.bucket put --create LICENSE {record}", says="412 PreconditionFailed", fails=True)
        tell.say("Nor can it be overwritten the way Curfew writes, which only creates objects and never replaces one.")
        for file in ("LICENSE", "README.md"):
            tell.run(f"python -m tools.bucket put {file} s3://{BUCKET}/note", says="as version")
        tell.run(f"python -m tools.bucket rm s3://{BUCKET}/note", says="403 AccessDenied", fails=True)
        tell.say(
            "A plain PUT, tried on another object, is accepted, as S3 does; but it only adds a new version. The first version "
            "stays and cannot be deleted. If the object were a segment of the log, verify would name it, as in the next step."
        )

    def an_edited_copy(self) -> None:
        """Change one byte of a copy, and have it found."""
        tell, stage = self._tell, self._stage
        tell.title("Somebody edits a copy of the trail")
        if stage.store == "s3":
            tell.run(f'python -m tools.bucket cp {stage.url} "$DEMO/copy"', says="copied")
        else:
            tell.run('cp -r "$DEMO/trail" "$DEMO/copy"')
        verify = 'curfew audit verify "$DEMO/copy" --key-file "$DEMO/curfew.pub" --anchor "$DEMO/request.json"'
        tell.run(verify, says="Verified: log main", lines=3)
        key = self._segment_of("grant.intended")
        stored = (stage.folder / "copy" / key).read_bytes()
        place = random.randrange(len(stored))  # noqa: S311  any byte will do
        other = "X" if stored[place] != ord("X") else "Y"
        tell.run(f'printf {other} | dd of="$DEMO/copy/{key}" bs=1 seek={place} conv=notrunc status=none')
        tell.run(verify, says=("NOT VERIFIED", key), fails=True)
        tell.say(f"One byte of {len(stored)} was changed, at {place}, and verify shows the segment.")

    # --- the end --------------------------------------------------------------------------------------------------------

    def the_end(self) -> None:
        """Wait for the end of the grant, and watch it."""
        tell = self._tell
        expires_at = self._expires_at()
        tell.title("The end")
        tell.run("kubectl --context alice auth can-i list pods -n payments", says="yes")
        tell.say(
            f"The access ends at {expires_at:%H:%M:%S} UTC. Until then alice calls the API server again and again."
        )
        with Progress(f"{'':3}Waiting for it") as progress:
            while (left := expires_at - HURRY - datetime.now(UTC)) > timedelta(0):
                progress.tick(f"{left.total_seconds() + HURRY.total_seconds():.0f} s left")
                time.sleep(min(0.25, left.total_seconds()))
        self._ended = self._alice.until(PODS, HTTPStatus.FORBIDDEN, 30.0)
        before, after = self._ended.before, self._ended.after
        tell.expect(before.status == HTTPStatus.OK, "alice's access had ended before its time")
        tell.show(
            # In the order in which they were, whichever that is.
            sorted(
                [
                    f"{_clock(before.sent)}  the last call that succeeded was sent",
                    f"{_clock(expires_at)}  the end, as status and binding had promised it",
                    f"{_clock(after.sent)}  the first call that was refused was sent",
                ]
            )
        )

    def access_is_gone(self) -> None:
        """Show alice without access."""
        tell = self._tell
        tell.title("After: alice has no access")
        tell.run("kubectl --context alice auth can-i list pods -n payments", says="no", fails=True)
        tell.run("kubectl --context alice get pods -n payments", says='cannot list resource "pods"', fails=True)
        tell.run(
            "kubectl wait -n payments --for=jsonpath='{.status.phase}'=Expired accessrequest/inc-4711",
            says="condition met",
        )
        events = "kubectl get events -n payments --field-selector involvedObject.name=inc-4711"
        # Events are told in the background.
        self._await(lambda: "Expired" in tell.quietly(events).stdout)
        tell.run(events, says=("Granted", "Expired"))
        tell.say("Three Events, as kubectl describe shows them: alice waits, holds access, and has it no more.")

    def how_exact(self) -> None:
        """Compare what was promised with what was measured, by alice and by the API server."""
        tell, expires_at = self._tell, self._expires_at()
        tell.title("How exact it was")
        began = self._begun.after.answered - self._approved_at
        late = self._ended.after.sent - expires_at
        lines = [
            f"from bob's Enter to alice's first call that succeeded    {_ms(began)}",
            f"from the promised end to alice's first refused call      {_ms(late)}, asked every {_ms(self._every())}",
        ]
        lines += self._as_the_api_server_wrote(expires_at)
        tell.show(lines)
        self._figures = lines
        tell.expect(self._ended.before.sent < expires_at + WITHIN, f"alice still had access {_ms(late)} after its end")
        # How long a busy machine let her wait between two calls is not the access's fault.
        tell.expect(
            late < WITHIN + self._every(), f"alice's access ended {_ms(late)} after its time; expected: 1 s at most"
        )
        tell.expect(late > -WITHIN, f"alice's access ended {_ms(-late)} before its time; expected: 1 s at most")

    def _as_the_api_server_wrote(self, expires_at: datetime) -> list[str]:
        environment = self._stage.environment
        if environment.choice != "local":
            return ["(only the demo's own control plane shows what the API server's audit log contains)"]
        log, binding = environment.control_plane.audit_log, self._request["status"]["grant"]["binding"]
        approved = find_written(log, "patch", "accessrequests", "inc-4711", PEOPLE["bob"])
        removed = find_written(log, "delete", "rolebindings", binding, OPERATOR)
        self._tell.expect(
            approved is not None and removed is not None, "the API server's audit log does not have the call"
        )
        assert approved is not None  # noqa: S101  just expected
        assert removed is not None  # noqa: S101  just expected
        made = self._begun.after.answered - approved.done
        return [
            f"from the API server's having bob's patch to that call    {_ms(made)}   (its audit log)",
            f"from the promised end to the removal of the binding      {_ms(removed.done - expires_at)}   (its audit log)",
        ]

    def the_whole_record(self) -> None:
        """Show that each thing that happened is in the trail exactly once."""
        tell, url = self._tell, self._stage.url
        tell.title("Everything is in the trail, once")
        events = self._await_closed()
        tell.run(f"curfew audit tail {url}", says=("grant.expired", "request.closed"))
        tell.expect(
            sorted(events) == sorted(LIFE), f"of the request, the trail has {dict(Counter(events))}; expected: {LIFE}"
        )
        tell.run('kubectl get accessrequest inc-4711 -n payments -o json > "$DEMO/request.json"')
        said = tell.run(
            f'curfew audit verify {url} --key-file "$DEMO/curfew.pub" --anchor "$DEMO/request.json"',
            says="Verified: log main",
        )
        self._figures.append(f"in the trail, each exactly once: {', '.join(LIFE)}")
        self._figures += [line.strip() for line in said.splitlines() if line.strip().startswith("Holds")]

    # --- looking --------------------------------------------------------------------------------------------------------

    @property
    def figures(self) -> list[str]:
        """Return what was measured, one line each."""
        return [*self._figures, *self._activity.figures]

    def _await(self, is_so: Callable[[], bool]) -> None:
        """Ask again and again for a while; each question takes a process its time. What follows shows whether it became so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so() and time.monotonic() < deadline:
            pass

    def _read_request(self) -> dict[str, Any]:
        """Return the request, once it is granted."""
        request: dict[str, Any] = {}

        def is_granted() -> bool:
            request.update(
                json.loads(self._tell.quietly("kubectl get accessrequest inc-4711 -n payments -o json").stdout)
            )
            return "expiresAt" in request.get("status", {})

        self._await(is_granted)
        self._tell.expect("expiresAt" in request["status"], "the request does not say when it ends")
        return request

    def _expires_at(self) -> datetime:
        return datetime.fromisoformat(self._request["status"]["expiresAt"])

    def _records(self) -> list[dict[str, Any]]:
        command = f"curfew audit tail {self._stage.url} -n 1000 -o json"
        done = self._tell.quietly(command)
        self._tell.expect(done.returncode == 0, f"`{command}` ended with {done.returncode}: {done.stdout}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _await_closed(self) -> list[str]:
        """Return the events of the request, once the last of them is in the trail."""
        uid = self._request["metadata"]["uid"]
        events: list[str] = []

        def is_closed() -> bool:
            ours = [record["unmapped"]["curfew"] for record in self._records()]
            events[:] = [record["event"] for record in ours if record["subject"] == uid]
            return LIFE[-1] in events

        self._await(is_closed)
        return events

    def _segment_of(self, event: str) -> str:
        """Return the name of the object that holds the request's record of this event."""
        words = (f'"event":"{event}"', self._request["metadata"]["uid"])
        for name, stored in self._stage.segments():
            lines = zstandard.ZstdDecompressor().decompressobj().decompress(stored).decode().splitlines()
            if any(all(word in line for word in words) for line in lines):
                return name
        raise LookupError(f"no segment of the trail holds {event}")

    def _every(self) -> timedelta:
        return self._ended.after.sent - self._ended.before.sent


def _ms(duration: timedelta) -> str:
    """Return a duration in milliseconds."""
    return f"{duration.total_seconds() * 1000:.0f} ms"


def _clock(at: datetime) -> str:
    """Return a time of day to the millisecond."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
