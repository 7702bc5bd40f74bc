"""Records the log anew: `.venv/bin/python -m tests.recorded.record`, in about three minutes, on real servers.

It is needed when the operator writes other records than before. The log, its key and which request is which story are
written to `tests/recorded/log.zip`; what has to be found in it is in `tests/recorded/stories.py`, by hand.
"""

import asyncio
import base64
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.segment import origin, prefix
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import recorded
from tests.integration.operator.place import Asked, Place
from tests.integration.operator.stage import Stage, a_stage
from tests.recorded.acts import ACTS, IN_A_NAMESPACE_OF_ITS_OWN, Act
from tests.recorded.recording import LOG, Named, Recording
from tests.recorded.stories import AT_ONCE, LAST, ROLES, Story
from tests.support.operator_process import OperatorProcess
from tools.servers.environment import Environment


async def play(stage: Stage, operator: OperatorProcess) -> Mapping[str, Named]:
    """Tell all stories and return the request of each."""
    place, other = await stage.place(), await stage.place()
    await asyncio.to_thread(place.cluster.opt_in, place.namespace, ROLES)
    asked: dict[str, Asked] = {}

    async def tell(story: Story) -> None:
        asked[story.name] = await story.steps(place)

    async def perform(act: Act, where: Place) -> None:
        asked.update(await act.steps(where, operator))

    told = [*map(tell, AT_ONCE), perform(IN_A_NAMESPACE_OF_ITS_OWN, other)]
    failed = [error for error in await asyncio.gather(*told, return_exceptions=True) if isinstance(error, Exception)]
    if failed:  # all of them are of interest
        raise ExceptionGroup("stories that did not go as written", failed)
    for act in ACTS:
        await perform(act, place)
    await tell(LAST)
    await recorded(operator, *(one for one in asked.values() if "phase" in one.status))
    return {name: Named(one.place.namespace, one.name, one.uid) for name, one in asked.items()}


def objects_of(client: Any, store: str) -> Mapping[str, bytes]:
    """Return all objects of the log in a bucket, by their names in the log. `client` is a botocore S3 client."""
    bucket, _, folder = store.removeprefix("s3://").partition("/")
    found: dict[str, bytes] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/{prefix(LOG)}"):
        for one in page.get("Contents", ()):
            body = client.get_object(Bucket=bucket, Key=one["Key"])["Body"]
            found[one["Key"].removeprefix(f"{folder}/")] = body.read()
    return found


def record(folder: Path) -> Recording:
    """Return what the operator writes on servers of its own."""
    with Environment() as environment:
        cluster = Installed(environment)
        cluster.install()
        secret = cluster.kubectl("get", "secret", "curfew-signing-key", "-n", SYSTEM, r"-o=jsonpath={.data.key\.pem}")
        pem = base64.b64decode(secret.stdout).decode()
        operator = OperatorProcess(
            folder,
            kubeconfig=cluster.operator_kubeconfig(folder / "kubeconfig"),
            signing_key=pem,
            store=f"s3://{environment.s3.make_bucket('recorded')}/curfew",
            environ=environment.s3.env(),
        )

        async def played() -> Mapping[str, Named]:
            async with a_stage(cluster, folder) as stage:
                stories = await play(stage, operator)
                await asyncio.to_thread(operator.stop)  # before the namespaces go
                return stories

        operator.start()
        try:
            operator.await_ready()
            stories = asyncio.run(played())
        finally:
            operator.kill()
            cluster.close()
        key = str(Ed25519Signer.from_pem(origin(LOG), pem.encode()).verifier)
        return Recording(objects_of(environment.s3.client(), operator.store), key, stories)


def main() -> int:
    """Record the log and keep it."""
    with tempfile.TemporaryDirectory() as folder:
        recording = record(Path(folder))
    recording.save()
    print(f"Recorded {len(recording.stories)} stories in {len(recording.objects)} objects.")  # noqa: T201  a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
