"""The step about locks: somebody is stopped with one command, and may go on with another."""

from typing import Final

from tools.demo.activity import DECIDE, WAIT
from tools.demo.narration import Narrator
from tools.demo.stage import Stage
from tools.servers.pki import PEOPLE

HELD: Final = "inc-4721"
REFUSED: Final = "inc-4722"
ASK: Final = "sed 's/inc-4711/{name}/' examples/request.yaml | kubectl --context bob apply -f -"
WHY: Final = (
    "kubectl get accessrequest {name} -n payments -o jsonpath='{{.status.conditions[?(@.type==\"{type}\")].message}}'"
)


class LockStep:
    """A step of the story. It checks what it shows."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        """Tell nothing yet."""
        self._stage = stage
        self._tell = narrator

    def one_command_stops_him(self) -> None:
        """Lock bob while he holds a grant, and lift the lock. Alice keeps hers, whose end the story waits for."""
        tell, bob = self._tell, PEOPLE["bob"]
        tell.title("One command stops a person")
        tell.run(ASK.format(name=HELD), says="created")
        tell.run(WAIT.format(field="phase", value="Pending", name=HELD), says="condition met")
        approves = '"by": "carol@example.com", "decision": "Approve", "stage": "owners"'
        tell.run(DECIDE.format(who="carol", name=HELD, value=approves), says="patched")
        tell.run(WAIT.format(field="phase", value="Active", name=HELD), says="condition met")
        tell.run(
            f'curfew lock {bob} --reason "laptop stolen; call 4711" --for 1h --name stolen-laptop',
            says=(f"access of {bob} is locked until", "It is in force."),
        )
        tell.run(WAIT.format(field="endReason", value="Locked", name=HELD), says="condition met")
        tell.run("kubectl --context bob get pods -n payments", says='cannot list resource "pods"', fails=True)
        tell.run(ASK.format(name=REFUSED), says="created")
        tell.run(WAIT.format(field="endReason", value="Locked", name=REFUSED), says="condition met")
        tell.run(WHY.format(name=REFUSED, type="Ready"), says=("AccessLock stolen-laptop", "laptop stolen; call 4711"))
        tell.run("curfew locks", says=("stolen-laptop", "1 grant ended"))
        tell.run(f"curfew unlock {bob}", says="AccessLock stolen-laptop is lifted.")
        tell.say(
            "His grant ended at once, and his next request was refused with the reason of the lock. A lock is an object that "
            "kubectl can make as well, and it waits for nothing: not for the bucket, the policy or the role."
        )
