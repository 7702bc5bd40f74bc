"""The step about waiting: how long the requests waited, and for what, from the log alone."""

import json

from tools.demo.narration import Narrator
from tools.demo.stage import Stage


class WaitingStep:
    """A step of the story. It checks what it shows."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        """Tell nothing yet."""
        self._stage = stage
        self._tell = narrator

    def where_requests_wait(self) -> None:
        """Show the statistics, and check that the parts of the waits are the whole."""
        tell, url = self._tell, self._stage.url
        tell.title("Where requests wait")
        tell.run(
            f"curfew stats {url}", says=("What requests wait for", "nobody had looked", "payments/debug"), lines=26
        )
        found = json.loads(tell.quietly(f"curfew stats {url} -o json 2>/dev/null").stdout)
        *parts, whole = (row["sum_ms"] for row in found["waiting"]["rows"])
        tell.expect(sum(parts) == whole, f"the parts of the waits are {sum(parts)} ms, and the whole is {whole} ms")
        tell.expect(parts[0] > 0, "nobody waited until somebody looked")
        tell.say(
            "Each wait is split by what it was for: somebody to look, other stages, the record or Curfew's rules, or the start "
            "that was asked for. Approvals get stuck with people; what Curfew adds is the third row."
        )
