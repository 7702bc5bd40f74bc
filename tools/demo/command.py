"""`python -m tools.demo`: the arguments, the end, and what to type next."""

import argparse
import signal
import sys

from tools.demo.narration import Narrator, Unmet
from tools.demo.stage import Stage, available_store
from tools.demo.story import Story
from tools.installation import CHECKOUT
from tools.servers.build import build
from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError

NEXT = """\
    . {env}
    sed 's/inc-4711/inc-4713/; s/1m/1h/' examples/request.yaml | kubectl --context alice apply -f -
    kubectl --context bob patch accessrequest inc-4713 -n payments --subresource=status --type=json -p '[
      {{"op": "add", "path": "/status/decisions/-",
       "value": {{"by": "bob@example.com", "decision": "Approve", "stage": "owners"}}}}]'
    kubectl --context alice get pods -n payments
    kubectl --context carol patch accessrequest inc-4713 -n payments --subresource=status --type=json -p '[
      {{"op": "add", "path": "/status/decisions/-", "value": {{"by": "carol@example.com", "decision": "Revoke"}}}}]'
{session}    curfew audit tail {url} --follow"""

SESSION = """\
    curfew audit session {url} inc-4713
"""


def main(arguments: list[str] | None = None) -> int:
    """Tell the story and return the exit status: 1 where a step did not show what it should."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo", description="Curfew's whole story on real servers, with a check of each step."
    )
    parser.add_argument("--keep", action="store_true", help="stay up at the end, until Ctrl-C")
    parser.add_argument(
        "--store", choices=("s3", "file"), default="s3", help="where the trail is stored; file needs no S3 server"
    )
    chosen = parser.parse_args(arguments)
    narrator = Narrator(CHECKOUT)
    try:
        store, why = available_store(chosen.store)
        if why:
            print(f"No S3 server is available, so the trail goes to a folder, which is not write-once.\n{why}")
        build([name for name in NEEDED[chosen_cluster()] if store == "s3" or name != "versitygw"])
        # Building is not part of the story.
        narrator = Narrator(CHECKOUT)
        with Stage(store) as stage:
            return _tell(Story(stage, narrator, keep=chosen.keep), stage, narrator, keep=chosen.keep)
    except ServersError as error:
        where = f"\n{narrator.step} went wrong: " if narrator.steps else ""
        print(f"{where}{error}", file=sys.stderr)
        return 1


def _tell(story: Story, stage: Stage, narrator: Narrator, *, keep: bool) -> int:
    try:
        story.tell()
    except Unmet as error:
        print(f"\n{error}", file=sys.stderr)
        print(stage.log_ends(), file=sys.stderr)
        return 1
    narrator.end(
        f"All {narrator.steps} steps showed what they should: {narrator.commands} commands, {narrator.checks} checks."
    )
    narrator.show(story.figures)
    if keep:
        print("\nIt stays up until Ctrl-C. What to type next, in another terminal:\n")
        session = SESSION.format(url=stage.url) if stage.has_monitor else ""
        print(NEXT.format(env=stage.env_file, url=stage.url, session=session), flush=True)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            print("\nEnding everything.")
    return 0
