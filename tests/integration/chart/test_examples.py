"""The manifests of examples/, applied in the order of the README by the people who are meant to."""

from collections.abc import Iterator

import pytest

from tests.integration.chart.helm import one, rendered
from tests.integration.installed import CHART, Done, Installed
from tools.servers.pki import PEOPLE

EXAMPLES = CHART.parents[1] / "examples"
NAMESPACE = "payments"


@pytest.fixture(scope="module")
def payments(cluster: Installed) -> Iterator[Installed]:
    """Return the cluster with the namespace, the roles and the policy of the examples."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.opt_in(NAMESPACE)
    for name in ("role.yaml", "policy.yaml"):
        cluster.kubectl("apply", "--filename", str(EXAMPLES / name))
    cluster.await_right(PEOPLE["alice"], "create", "accessrequests.curfew.dev", namespace=NAMESPACE)
    cluster.await_right(PEOPLE["carol"], "revoke", "accesspolicies.curfew.dev/debug", namespace=NAMESPACE)
    yield cluster
    # The name is the README's, so the next who needs it must not find it going away.
    cluster.kubectl("delete", "namespace", NAMESPACE)
    cluster.kubectl("delete", "--filename", str(EXAMPLES / "role.yaml"), "--ignore-not-found")


def ask(payments: Installed, user: str) -> Done:
    """Have somebody apply the request."""
    return payments.kubectl("apply", "--filename", str(EXAMPLES / "request.yaml"), user=user, check=False)


@pytest.mark.stamping
def test_alice_asks_and_asking_again_changes_nothing(payments: Installed) -> None:
    """Her request has her name, though the file does not."""
    if not payments.stamps_identity:
        pytest.skip("this API server does not serve MutatingAdmissionPolicy v1")

    assert "created" in ask(payments, "alice").stdout
    assert "unchanged" in ask(payments, "alice").stdout
    shown = payments.kubectl("get", "areq", "inc-4711", "--namespace", NAMESPACE, user="alice").stdout
    assert "alice@example.com" in shown


def test_who_is_no_requester_cannot_ask(payments: Installed) -> None:
    """Carol approves; she does not ask."""
    create = ("create", "--filename", str(EXAMPLES / "request.yaml"))
    refused = payments.kubectl(*create, user="carol", check=False)

    assert refused.returncode != 0
    assert 'cannot create resource "accessrequests"' in refused.stderr


def test_the_example_values_are_good() -> None:
    """They let Curfew grant the example's role in the example's namespace."""
    manifests = rendered("--values", str(EXAMPLES / "values.yaml"))

    granter = one(manifests, "ClusterRole", "curfew-granter")
    assert granter["rules"][1]["resourceNames"] == ["payments-debug"]
    assert one(manifests, "RoleBinding", "curfew-granter")["metadata"]["namespace"] == NAMESPACE


POLICY = "accesspolicies.curfew.dev/debug"


@pytest.mark.parametrize(
    ("user", "verb", "resource", "stage", "answer"),
    [
        ("alice", "request", POLICY, "", True),
        ("alice", "approve", POLICY, "owners", False),
        ("alice", "get", "pods", "", False),
        ("bob", "request", POLICY, "", True),
        ("bob", "approve", POLICY, "owners", True),
        ("carol", "request", POLICY, "", False),
        ("carol", "approve", POLICY, "owners", True),
        ("carol", "approve", POLICY, "security", False),
        ("carol", "revoke", POLICY, "", True),
        ("dave", "request", POLICY, "", False),
        ("dave", "get", "accessrequests.curfew.dev", "", False),
    ],
)
def test_who_may_do_what(payments: Installed, user: str, verb: str, resource: str, stage: str, *, answer: bool) -> None:
    """For Curfew's own verbs as well."""
    assert payments.api.may(PEOPLE[user], verb, resource, NAMESPACE, stage) is answer


def test_kubectl_says_who_may_do_what(payments: Installed) -> None:
    """`kubectl auth can-i`, as people ask."""
    question = ("approve", "accesspolicies/debug", "--subresource=owners", f"--namespace={NAMESPACE}")
    said = [
        payments.kubectl("auth", "can-i", *question, user=user, check=False).stdout.strip() for user in ("alice", "bob")
    ]

    assert said == ["no", "yes"]
