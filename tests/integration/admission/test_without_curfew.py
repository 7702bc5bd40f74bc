"""What holds while no part of Curfew runs."""

import json

from tests.integration.admission.asking import World, succeed
from tools.servers.pki import ADMIN

# The garbage collector looks for new kinds every 30 s, and ours are new when the tests begin.
COLLECTED = "--timeout=90s"


def test_the_collector_ends_a_grant_with_its_request(world: World) -> None:
    """Deleting a request ends its access, and no admission policy stands in the way."""
    binding = world.granted()
    stored = json.loads(succeed(world.kubectl(ADMIN, "get", "rolebinding", binding, "--output=json")))
    (owner,) = stored["metadata"]["ownerReferences"]

    succeed(world.kubectl(ADMIN, "delete", "accessrequest", owner["name"]))

    succeed(world.kubectl(ADMIN, "wait", "--for=delete", f"rolebinding/{binding}", COLLECTED))


def test_a_namespace_with_grants_can_be_deleted(world: World) -> None:
    """Nothing that Curfew puts there holds it up."""
    other = World(world.cluster)
    other.granted()

    succeed(world.kubectl(ADMIN, "delete", "namespace", other.namespace, "--timeout=90s"))
