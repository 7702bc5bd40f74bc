"""The steps about what is done with the access: Alice changes something, Bob only reads, and the monitor tells which."""

import json
from datetime import datetime
from typing import Any, Final

from tools.demo.narration import Narrator
from tools.demo.stage import Stage

OTHER: Final = "inc-4712"
"""Bob's request."""

DECIDE: Final = """\
kubectl --context {who} patch accessrequest {name} -n payments --subresource=status --type=json -p '[
  {{"op": "add", "path": "/status/decisions/-", "value": {{{value}}}}}]'"""

WAIT: Final = "kubectl wait -n payments --for=jsonpath='{{.status.{field}}}'={value} accessrequest/{name} --timeout=30s"
ACTIVITY: Final = "kubectl get accessrequest {name} -n payments -o jsonpath='{{.status.activity{field}}}'"


class ActivitySteps:
    """Steps of the story. Each checks what it shows."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        """Tell nothing yet."""
        self._stage = stage
        self._tell = narrator
        self.figures: list[str] = []
        """What was measured, one line each."""

    def monitor(self) -> None:
        """Start the monitor."""
        tell = self._tell
        tell.title("The monitor, which finds out what is done with access")
        tell.announce('curfew monitor --config "$DEMO/monitor.yaml" --kubeconfig "$DEMO/monitor.kubeconfig"')
        parts = self._stage.start_monitor()
        tell.show([f"{name}: {said}" for name, said in parts.items()])
        tell.say(
            "A process of its own, with its own service account, key and log. The API server sends it audit events. Four test "
            "calls have come back as events, so it hears everything."
        )

    def alice_uses_it(self) -> None:
        """Have alice read, change something, and try what she may not do."""
        tell = self._tell
        tell.title("Alice uses her access")
        tell.run("kubectl --context alice describe pod worker -n payments", says="payments-worker", lines=5)
        tell.run(
            """kubectl --context alice patch configmap worker -n payments -p '{"data": {"logLevel": "debug"}}'""",
            says="patched",
        )
        tell.run("kubectl --context alice delete pod worker -n payments", says="cannot delete", fails=True)
        tell.say("Her role lets her read, and change one ConfigMap. Deleting the pod was refused.")

    def while_it_lasts(self) -> None:
        """Show the answer before the end."""
        tell = self._tell
        tell.title("Is anything changed with it?")
        tell.run(WAIT.format(field="activity.changes", value="Yes", name="inc-4711"), says="condition met")
        tell.run(ACTIVITY.format(name="inc-4711", field=".changed"), says="configmaps/worker")
        tell.say(
            "The API server's audit events name the binding that allowed each call. From them, the monitor gives the answer."
        )

    def bob_only_reads(self) -> None:
        """Give bob access, have him read and give it back."""
        tell = self._tell
        tell.title("Bob has a look as well, and gives his access back")
        tell.run(f"sed 's/inc-4711/{OTHER}/' examples/request.yaml | kubectl --context bob apply -f -", says="created")
        tell.run(WAIT.format(field="phase", value="Pending", name=OTHER), says="condition met")
        approves = '"by": "carol@example.com", "decision": "Approve", "stage": "owners"'
        tell.run(DECIDE.format(who="carol", name=OTHER, value=approves), says="patched")
        tell.run(WAIT.format(field="phase", value="Active", name=OTHER), says="condition met")
        tell.run("kubectl --context bob get pods -n payments", says="worker")
        tell.run("kubectl --context bob get configmap worker -n payments -o jsonpath='{.data.logLevel}'", says="debug")
        revokes = '"by": "bob@example.com", "decision": "Revoke"'
        tell.run(DECIDE.format(who="bob", name=OTHER, value=revokes), says="patched")
        tell.run(WAIT.format(field="activity.final", value="true", name=OTHER), says="condition met")
        self._expect_answer(OTHER, "No")
        tell.say(
            "No means that nothing was changed, and that the feed of audit events was whole for all of that time. If something "
            "could not be seen, the answer would be Unknown."
        )

    def what_was_done(self) -> None:
        """Show the final answer on alice's session, and what it is made of."""
        tell, url = self._tell, self._stage.url
        tell.title("What was done with the access")
        tell.run(WAIT.format(field="activity.final", value="true", name="inc-4711"), says="condition met")
        tell.run("kubectl get areq -n payments -o wide", says=("CHANGES", "inc-4711", OTHER))
        self._expect_answer("inc-4711", "Yes")
        seen = json.loads(tell.run(ACTIVITY.format(name="inc-4711", field="")))
        tell.expect(seen["changed"] == ["configmaps/worker"], f"what was changed is {seen['changed']}")
        tell.expect(seen["writes"] == 1, f"{seen['writes']} changes were counted; expected: 1")
        tell.expect(seen["denied"] >= 1, "the refused call was not counted")
        tell.run(f"curfew audit verify {url} --log main-activity", says="Verified: log main-activity", lines=3)
        tell.run(
            f"curfew audit session {url} payments/inc-4711",
            says=("Changes   Yes", "the monitor recorded the same", "whole over the time of the access", "Denied"),
        )
        tell.say(
            "The answer is computed again from the two logs in the bucket; that needs neither the monitor nor the cluster. The "
            "refused calls include those that alice made just before her access began."
        )

    def _expect_answer(self, name: str, changes: str) -> None:
        tell = self._tell
        said = tell.run(ACTIVITY.format(name=name, field=".changes"))
        tell.expect(said == changes, f"the answer is {said}; expected: {changes}")
        status = self._status(name)
        late = _time(status["activity"]["asOf"]) - _time(status["endedAt"])
        self.figures.append(
            f"from the end of {name} to the final answer, {changes}"
            f"{'':{14 - len(changes)}}{late.total_seconds() * 1000:.0f} ms"
        )

    def _status(self, name: str) -> dict[str, Any]:
        found = self._tell.quietly(f"kubectl get accessrequest {name} -n payments -o jsonpath='{{.status}}'").stdout
        status: dict[str, Any] = json.loads(found)
        return status


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
